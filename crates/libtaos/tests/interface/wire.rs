//! A wire between clients and a server that a test can cut: at once, or after so many bytes of answers more.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    thread,
};

/// The wire; clients connect to [`Wire::port`].
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    is_cut: AtomicBool,
    /// Bytes of answers that still pass.
    left: AtomicI64,
    sockets: Mutex<Vec<TcpStream>>,
    open: AtomicUsize,
}

impl Wire {
    /// A wire to a server.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { server, is_cut: AtomicBool::new(false), left: AtomicI64::new(i64::MAX), sockets: Mutex::default(), open: AtomicUsize::new(0) };
        let state = Arc::new(state);
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                accepting.accept(client.unwrap());
            }
        });
        Self { port, state }
    }

    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection; whoever comes later is sent away.
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Lets so many bytes of answers pass, and cuts then.
    pub fn cut_after(&self, bytes: i64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// Is whole again.
    pub fn mend(&self) {
        self.state.left.store(i64::MAX, Ordering::SeqCst);
        self.state.is_cut.store(false, Ordering::SeqCst);
    }

    /// Connections of clients that neither end has let go.
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }
}

impl State {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for socket in self.sockets.lock().unwrap().drain(..) {
            // The other end may be gone.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: &Arc<Self>, client: TcpStream) {
        let mut sockets = self.sockets.lock().unwrap();
        if self.is_cut.load(Ordering::SeqCst) {
            return;
        }
        let server = TcpStream::connect(self.server).unwrap();
        sockets.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        drop(sockets);
        self.open.fetch_add(1, Ordering::SeqCst);
        let (asks, answers) = ((client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client));
        let asking = Arc::clone(self);
        thread::spawn(move || asking.pump(asks.0, asks.1, false));
        let answering = Arc::clone(self);
        thread::spawn(move || {
            answering.pump(answers.0, answers.1, true);
            answering.open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, are_answers: bool) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let passing = if are_answers {
                let left = self.left.fetch_sub(count as i64, Ordering::SeqCst);
                usize::try_from(left.clamp(0, count as i64)).unwrap()
            } else {
                count
            };
            if to.write_all(&buffer[..passing]).is_err() {
                break;
            }
            if passing < count {
                self.cut();
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
