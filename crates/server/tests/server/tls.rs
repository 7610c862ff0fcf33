//! Encrypted connections: over REST and WebSocket by our drivers, with every way of trusting; certificates that are renewed; clients that
//! do not shake hands.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_server::{ServerHandle, ServerOptions, TlsOptions};
use embudo_types::Result;

use super::{PATIENCE, start_with, wait_until};

/// A folder of its own for each test, with a certificate for these names.
fn certificate(test: &str, names: &[&str]) -> TlsOptions {
    let folder = std::env::temp_dir().join(format!("embudo-tls-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let files = TlsOptions { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
    renew(&files, names);
    files
}

fn renew(files: &TlsOptions, names: &[&str]) {
    let made = rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
}

fn start(files: &TlsOptions) -> ServerHandle {
    start_with(ServerOptions { tls: Some(files.clone()), handshake_timeout: PATIENCE, ..ServerOptions::default() })
}

fn open(server: &ServerHandle, scheme: &str, host: &str, options: &str) -> Result<Box<dyn Driver>> {
    let dsn = Dsn::parse(&format!("{scheme}://root:taosdata@{host}:{}/?{options}", server.address().port()))?;
    connect(&dsn, &ConnectOptions::default())
}

/// Whether a statement goes through.
fn asks(server: &ServerHandle, scheme: &str, host: &str, options: &str) -> Result<usize> {
    let batches = open(server, scheme, host, options)?.execute("SELECT 1", &[])?.collect()?;
    Ok(batches[0].num_rows())
}

fn trust(path: &Path) -> String {
    format!("tls_ca={}", path.display().to_string().replace('/', "%2F"))
}

#[test]
fn drivers_trust_whom_they_are_told_to() {
    let files = certificate("trust", &["localhost"]);
    let server = start(&files);
    assert!(server.is_encrypted());
    let authority = trust(&files.certificate);
    for scheme in ["taosrest+https", "taosws+wss"] {
        assert_eq!(asks(&server, scheme, "localhost", &authority).unwrap(), 1, "{scheme}");
        assert_eq!(asks(&server, scheme, "127.0.0.1", "tls_insecure").unwrap(), 1, "{scheme}");
        assert!(asks(&server, scheme, "localhost", "").is_err(), "{scheme}: nobody vouches for the certificate");
        assert!(asks(&server, scheme, "127.0.0.1", &authority).is_err(), "{scheme}: the certificate names another host");
    }
    assert_eq!(asks(&server, "taosws+wss", "127.0.0.1", &format!("{authority}&tls_mode=verify_ca")).unwrap(), 1);
    let other = certificate("trust-other", &["localhost"]);
    let error = asks(&server, "taosws+wss", "127.0.0.1", &format!("{}&tls_mode=verify_ca", trust(&other.certificate)));
    assert!(error.is_err(), "the authority is another");
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert_eq!(asks(&server, "taosws+wss", "localhost", &format!("{authority}&tls_version={version}")).unwrap(), 1, "{version}");
    }
}

#[test]
fn rows_of_any_size_pass_both_ways() {
    let files = certificate("rows", &["localhost"]);
    let server = start(&files);
    let authority = trust(&files.certificate);
    for scheme in ["taosrest+https", "taosws+wss"] {
        let driver = open(&server, scheme, "localhost", &authority).unwrap();
        driver.execute("CREATE DATABASE IF NOT EXISTS d", &[]).unwrap();
        driver.execute("CREATE TABLE IF NOT EXISTS d.t (ts TIMESTAMP, v VARCHAR(100))", &[]).unwrap();
        for part in 0..4 {
            let values: String = (part * 5_000..(part + 1) * 5_000).map(|row| format!("({},'{row:0>90}')", 1_700_000_000_000_i64 + row)).collect();
            driver.execute(&format!("INSERT INTO d.t VALUES {values}"), &[]).unwrap();
        }
        let batches = driver.execute("SELECT * FROM d.t", &[]).unwrap().collect().unwrap();
        assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 20_000, "{scheme}");
    }
}

#[test]
fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let files = certificate("renew", &["localhost"]);
    let server = start(&files);
    let old = files.certificate.with_file_name("old.pem");
    fs::copy(&files.certificate, &old).unwrap();
    let kept = open(&server, "taosws+wss", "localhost", &trust(&old)).unwrap();
    fs::write(&files.certificate, "nothing").unwrap();
    assert!(server.reload().is_err());
    assert_eq!(asks(&server, "taosws+wss", "localhost", &trust(&old)).unwrap(), 1, "the old one stays");
    renew(&files, &["localhost"]);
    server.reload().unwrap();
    assert!(asks(&server, "taosws+wss", "localhost", &trust(&old)).is_err());
    assert_eq!(asks(&server, "taosws+wss", "localhost", &trust(&files.certificate)).unwrap(), 1);
    kept.execute("SELECT 1", &[]).unwrap().collect().unwrap();
}

#[test]
fn changed_files_are_noticed() {
    let files = certificate("notice", &["localhost"]);
    let server = start(&files);
    renew(&files, &["localhost"]);
    wait_until("the new certificate is noticed", || asks(&server, "taosws+wss", "localhost", &trust(&files.certificate)).is_ok());
}

#[test]
fn who_does_not_shake_hands_is_dropped() {
    let files = certificate("silent", &["localhost"]);
    let mut server = start_with(ServerOptions { tls: Some(files), handshake_timeout: Duration::from_millis(300), ..ServerOptions::default() });
    let mut silent = TcpStream::connect(server.address()).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    // The connection ends; it is not this side that has waited enough.
    assert!(silent.read(&mut [0; 16]).map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |length| length == 0));
    let mut plain = TcpStream::connect(server.address()).unwrap();
    plain.write_all(b"POST /rest/sql HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "plain requests are not answered");
    let _waiting = TcpStream::connect(server.address()).unwrap();
    let begun = Instant::now();
    server.shutdown();
    // A stop waits 30 s for those that do not end.
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[test]
fn files_that_are_no_good_are_named() {
    let files = certificate("bad", &["localhost"]);
    let other = certificate("bad-other", &["localhost"]);
    let engine = || embudo_engine::Engine::open(embudo_engine::EngineOptions::memory()).unwrap();
    let start = |certificate: &PathBuf, key: &PathBuf| {
        let tls = Some(TlsOptions { certificate: certificate.clone(), key: key.clone() });
        let outcome = embudo_server::Server::start(engine(), ServerOptions { listen: "127.0.0.1:0".into(), tls, ..ServerOptions::default() });
        outcome.map(drop).unwrap_err().message().to_owned()
    };
    assert!(start(&"/nowhere/c.pem".into(), &files.key).contains("/nowhere/c.pem"));
    assert!(start(&files.certificate, &files.certificate).contains("no private key"));
    assert!(start(&files.certificate, &other.key).contains("TLS"), "a key of another certificate");
}
