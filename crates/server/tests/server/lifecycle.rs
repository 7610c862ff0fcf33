//! Starting and stopping.

use std::{
    net::TcpStream,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerOptions};

use crate::{
    PATIENCE,
    http::{Connection, ROOT},
    results::fill,
    start, wait_until,
};

#[test]
fn a_stop_finishes_what_is_under_way() {
    let mut server = start();
    let address = server.address();
    let mut connection = Connection::open(address);
    fill(&mut connection, 200_000);
    connection.send("POST", "/rest/sql/r", &[ROOT, ("content-length", "15")], b"select * from t");
    connection.fill().unwrap();
    let idle = Connection::open(address);
    let (told, stopped) = mpsc::channel();
    let stopping = thread::spawn(move || {
        server.shutdown();
        told.send(()).unwrap();
    });
    // It waits for the reader…
    assert!(stopped.recv_timeout(Duration::from_millis(300)).is_err());
    wait_until("nobody is let in", || TcpStream::connect(address).is_err());
    let answer = connection.read().unwrap();
    assert!(answer.text().ends_with("\"rows\":200000}"));
    // …and then for nobody.
    stopped.recv_timeout(PATIENCE).unwrap();
    stopping.join().unwrap();
    drop(idle);
}

#[test]
fn a_stop_without_requests_is_quick() {
    let mut server = start();
    let mut idle = Connection::open(server.address());
    assert_eq!(idle.request("GET", "/-/ping", &[], b"").status, 200);
    let started = Instant::now();
    server.shutdown();
    server.shutdown();
    // It would wait 30 s for a request.
    assert!(started.elapsed() < Duration::from_secs(25));
    assert!(idle.read().is_none());
}

#[test]
fn the_world_is_not_let_in_with_the_default_password() {
    let engine = Engine::open(EngineOptions::memory()).unwrap();
    let open = || ServerOptions { listen: "0.0.0.0:0".into(), ..ServerOptions::default() };
    let refused = Server::start(engine.clone(), open()).err().unwrap();
    assert!(refused.message().contains("ALTER USER root PASS"), "{refused}");
    engine.session("root").unwrap().execute("alter user root pass 'Another#1'", &[]).unwrap();
    let server = Server::start(engine, open()).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    assert!(Connection::open(address).sql("/rest/sql", "select 1").text().starts_with("{\"code\":855,"));
}

#[test]
fn an_engine_serves_twice_and_outlives_its_servers() {
    let engine = Engine::open(EngineOptions::memory()).unwrap();
    let options = || ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() };
    let (first, second) = (Server::start(engine.clone(), options()).unwrap(), Server::start(engine.clone(), options()).unwrap());
    fill(&mut Connection::open(first.address()), 3);
    assert!(Connection::open(second.address()).sql("/rest/sql/r", "select count(*) from t").text().contains("[[3]]"));
    drop((first, second));
    assert!(engine.session("root").unwrap().execute("select count(*) from r.t", &[]).is_ok());
}

#[test]
fn an_address_in_use_is_an_error() {
    let server = start();
    let engine = Engine::open(EngineOptions::memory()).unwrap();
    let options = ServerOptions { listen: server.address().to_string(), ..ServerOptions::default() };
    assert!(Server::start(engine, options).err().unwrap().message().contains("listening on"));
}
