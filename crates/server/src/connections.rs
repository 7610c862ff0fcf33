//! Sockets: accepting, encryption, the limit on open connections, time-outs, and the graceful stop.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    metrics::ConnectionGuard,
    router::{self, State},
    tls::Tls,
};

/// The place that a connection takes among those that may be open, and how it hears of the stop. A WebSocket keeps it after its upgrade.
pub struct Place {
    /// Whether the server stops.
    pub stopped: watch::Receiver<bool>,
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// Told when the connection shall end before its client wants that.
    pub killed: Notify,
    _counted: ConnectionGuard,
    _permit: OwnedSemaphorePermit,
}

/// Serves until `stopped` says so, then lets open requests finish.
pub async fn serve(listener: TcpListener, state: Arc<State>, tls: Option<Arc<Tls>>, mut stopped: watch::Receiver<bool>) {
    let limit = u32::try_from(state.options.connections).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let places = Arc::new(Semaphore::new(limit as usize));
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(state.options.header_timeout);
    let service = TowerToHyperService::new(router::routes(Arc::clone(&state)));
    loop {
        // A connection over the limit is not accepted: it waits in the system's backlog.
        let next = async {
            let permit = Arc::clone(&places).acquire_owned().await;
            (permit, accept(&listener).await)
        };
        let next = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let (Ok(permit), (stream, peer)) = next else { break };
        let place = Place { stopped: stopped.clone(), peer, killed: Notify::new(), _counted: state.metrics.connection(), _permit: permit };
        // Answers are written whole; waiting to fill a packet only adds delay.
        let _ = stream.set_nodelay(true);
        let (protocol, service) = (protocol.clone(), service.clone());
        match &tls {
            None => drop(tokio::spawn(converse(protocol, stream, service, place))),
            Some(tls) => drop(tokio::spawn(greet(Arc::clone(tls), state.options.handshake_timeout, protocol, stream, service, place))),
        }
    }
    drop(listener);
    // All places are free when the last conversation has ended.
    if timeout(state.options.stop_timeout, places.acquire_many(limit)).await.is_err() {
        tracing::warn!("stopping although requests are still open");
    }
}

/// The next connection. Running out of descriptors is no reason to stop: some are freed soon.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Agrees on encryption, within a time, and serves the connection from then on.
async fn greet(tls: Arc<Tls>, patience: Duration, protocol: http1::Builder, stream: TcpStream, service: TowerToHyperService<Router>, place: Place) {
    let mut stopped = place.stopped.clone();
    let greeted = tokio::select! {
        greeted = timeout(patience, tls.accept(stream)) => greeted,
        _ = stopped.wait_for(|stop| *stop) => return,
    };
    match greeted {
        Ok(Ok(stream)) => converse(protocol, stream, service, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "no agreement on encryption"),
        Err(_) => tracing::debug!("a client took too long to agree on encryption"),
    }
}

/// One connection's requests, until it closes or the server stops; a request under way is finished then.
async fn converse<S>(protocol: http1::Builder, stream: S, service: TowerToHyperService<Router>, place: Place)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut stopped = place.stopped.clone();
    let place = Arc::new(place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&place));
        service.call(request)
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut stopping = false;
    loop {
        tokio::select! {
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "connection broke");
                }
                return;
            }
            _ = stopped.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
