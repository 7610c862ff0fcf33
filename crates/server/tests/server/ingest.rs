//! Writing without SQL: statuses, bodies, what is stored.

use std::io::Write;

use embudo_wire::prometheus::{Label, LabelMatcher, Query, ReadRequest, ReadResponse, Sample, TimeSeries, WriteRequest, decode, encode};

use crate::{
    http::{Connection, ROOT, Response},
    start, start_with,
};

/// Answers end with this.
fn data(answer: &Response) -> String {
    let text = answer.text();
    text[text.find("\"data\":").unwrap_or(0)..].to_owned()
}

#[test]
fn lines_are_written_and_refused() {
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE d KEEP 36500");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"cpu,host=a usage=0.5 1710028800\ncpu,host=b usage=1.5 1710028800").unwrap();
    let answer = connection.request("POST", "/influxdb/v1/write?db=d&precision=s&ttl=7", &[ROOT, ("content-encoding", "gzip")], &gzip.finish().unwrap());
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert!(data(&connection.sql("/rest/sql/d", "SELECT SUM(usage) FROM cpu")).starts_with("\"data\":[[2]]"));
    let answer = connection.request(
        "POST",
        "/influxdb/v1/write?db=d&precision=s&table_name_key=name&u=root&p=taosdata",
        &[],
        b"cpu,host=c,name=third usage=3 1710028800",
    );
    assert_eq!(answer.status, 204);
    assert!(data(&connection.sql("/rest/sql/d", "SELECT usage FROM third")).starts_with("\"data\":[[3]]"));

    let mut refused = |path: &str, headers: &[(&str, &str)], body: &[u8], status: u16, text: &str| {
        let answer = connection.request("POST", path, headers, body);
        assert!(answer.status == status && answer.text().contains(text), "{path}: {} {}", answer.status, answer.text());
    };
    refused("/influxdb/v1/write", &[ROOT], b"m v=1", 400, r#""message":"db required""#);
    refused("/influxdb/v1/write?db=d&ttl=x", &[ROOT], b"m v=1", 400, r#"{"code":"illegal param""#);
    refused("/influxdb/v1/write?db=d&req_id=x", &[ROOT], b"m v=1", 400, r#"{"code":"illegal param""#);
    refused("/influxdb/v1/write?db=d", &[ROOT, ("content-encoding", "gzip")], b"no gzip", 400, r#"{"code":"illegal param""#);
    refused("/influxdb/v1/write?db=d", &[("authorization", "Nothing x")], b"m v=1", 401, "get auth error");
    refused("/influxdb/v1/write?db=d", &[ROOT], b"m v=1\nm v=2\nm w=\xff", 500, "[0x3002] invalid data: not valid UTF-8 at byte 16");
    refused("/influxdb/v1/write?db=d", &[ROOT], b"m v=1\nm v=2\nm", 500, r#""message":"[0x3002] cols is empty (line 3)""#);
    refused("/opentsdb/v1/put/telnet/d", &[("authorization", "Nothing x")], b"m 1 2 a=b", 401, r#"{"code":401,"message":"unsupported auth type"}"#);
    refused("/opentsdb/v1/put/json/d?ttl=-1", &[ROOT], b"[]", 400, r#"{"code":400,"#);
    refused("/opentsdb/v1/put/json/d", &[ROOT], b"[]", 500, r#"{"code":500,"message":"[0x221] Invalid JSON format"}"#);
    refused("/prometheus/v1/remote_write/d", &[ROOT], b"noise", 400, "prometheus body");
    refused("/prometheus/v1/remote_read/d", &[], b"", 401, "auth needed");
    refused("/prometheus/v1/remote_write/missing", &[ROOT], &encode(&WriteRequest::default()).unwrap(), 500, "[0x388]");
}

#[test]
fn bodies_have_a_limit() {
    let server = start_with(embudo_server::ServerOptions { body_bytes: 64, ..embudo_server::ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE d");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&[b' '; 4_096]).unwrap();
    let answer = connection.request("POST", "/influxdb/v1/write?db=d", &[ROOT, ("content-encoding", "gzip")], &gzip.finish().unwrap());
    assert_eq!(answer.status, 413);
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    TimeSeries {
        labels: labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect(),
        samples: samples.iter().map(|(timestamp, value)| Sample { timestamp: *timestamp, value: *value }).collect(),
    }
}

#[test]
fn prometheus_writes_and_reads_back() {
    const TIME: i64 = 1_710_028_800_000;
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE d KEEP 36500 PRECISION 'us'");
    let up = series(&[("__name__", "up"), ("job", "it's \\ a")], &[(TIME, 1.0), (TIME + 1, f64::NAN)]);
    let down = series(&[("__name__", "up"), ("zone", "b")], &[(TIME, 0.0)]);
    let body = encode(&WriteRequest { timeseries: vec![up.clone(), down.clone()] }).unwrap();
    for path in ["/prometheus/v1/remote_read/d", "/prometheus/v1/remote_write/d", "/prometheus/v1/remote_write/d?ttl=3"] {
        let body =
            if path.contains("read") { encode(&ReadRequest { queries: vec![Query { start: 0, end: TIME, matchers: vec![] }] }).unwrap() } else { body.clone() };
        let answer = connection.request("POST", path, &[ROOT], &body);
        assert_eq!(answer.status, 202, "{path}: {}", answer.text());
    }
    let mut read = |matchers: &[(i32, &str, &str)]| {
        let matchers = matchers.iter().map(|(kind, name, value)| LabelMatcher { kind: *kind, name: (*name).into(), value: (*value).into() }).collect();
        let request = ReadRequest { queries: vec![Query { start: TIME, end: TIME + 10, matchers }] };
        let answer = connection.request("POST", "/prometheus/v1/remote_read/d", &[ROOT], &encode(&request).unwrap());
        assert_eq!(
            (answer.status, answer.header("content-type"), answer.header("content-encoding")),
            (202, Some("application/x-protobuf"), Some("snappy")),
            "{}",
            answer.text()
        );
        let mut found = decode::<ReadResponse>(&answer.body, usize::MAX).unwrap().results.remove(0).timeseries;
        found.sort_by_key(|series| std::cmp::Reverse(series.samples.len()));
        found
    };
    let all = read(&[(0, "__name__", "up")]);
    assert_eq!(all[0].labels, up.labels);
    assert!(all[0].samples[0] == up.samples[0] && all[0].samples[1].value.is_nan());
    assert_eq!(all[1], down);
    for (matchers, count) in [
        (vec![(0, "job", "it's \\ a")], 1),
        (vec![(0, "job", "")], 1),
        (vec![(1, "job", "other")], 2),
        (vec![(2, "job", "it.*")], 1),
        (vec![(2, "job", "t.*")], 0),
        (vec![(3, "zone", "b|c"), (0, "__name__", "up")], 1),
        (vec![(2, "zone", ".*")], 2),
    ] {
        assert_eq!(read(&matchers).len(), count, "{matchers:?}");
    }
}

#[test]
fn telnet_lines_come_over_a_port_of_their_own() {
    let options = embudo_server::ServerOptions {
        opentsdb_telnet: Some(embudo_server::ListenerOptions::new("127.0.0.1:0", "opentsdb_telnet")),
        ..embudo_server::ServerOptions::default()
    };
    let server = start_with(options);
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE opentsdb_telnet KEEP 36500");
    let mut telnet = std::net::TcpStream::connect(server.listener_addresses().opentsdb_telnet.unwrap()).unwrap();
    telnet.write_all(b"put sys.cpu 1700000000 1 host=a\nbad\nversion\nput sys.cpu 1700000001 2 host=b\nput sys.cpu 17000").unwrap();
    let mut answer = [0; 2];
    std::io::Read::read_exact(&mut telnet, &mut answer).unwrap();
    assert_eq!(&answer, b"1\n");
    telnet.write_all(b"00002 4 host=a").unwrap();
    telnet.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(std::io::Read::read_to_end(&mut telnet, &mut Vec::new()).unwrap(), 0);
    assert!(data(&connection.sql("/rest/sql/opentsdb_telnet", "SELECT SUM(_value), COUNT(*) FROM sys_cpu")).starts_with("\"data\":[[7,3]]"));
}

/// Waits until a query gives these rows.
fn awaited(connection: &mut Connection, sql: &str, rows: &str) {
    crate::wait_until(sql, || connection.sql("/rest/sql", sql).text().contains(rows));
}

fn with_listeners() -> embudo_server::ServerOptions {
    embudo_server::ServerOptions {
        statsd: Some(embudo_server::ListenerOptions::new("0", "statsd")),
        statsd_interval: std::time::Duration::from_millis(50),
        collectd: Some(embudo_server::ListenerOptions::new(":0", "collectd")),
        ..embudo_server::ServerOptions::default()
    }
}

#[test]
fn statsd_is_summed_up_and_written() {
    let server = start_with(with_listeners());
    let address = server.listener_addresses().statsd.unwrap();
    assert!(address.ip().is_loopback());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"page.views,site=x:3|c:4|c\nnonsense\nroom:21.5|g|#floor:2\n\xff\xfe", address).unwrap();
    let mut connection = Connection::open(server.address());
    awaited(&mut connection, "SELECT `value`, site, metric_type FROM statsd.page_views", r#"[[7,"x","counter"]]"#);
    awaited(&mut connection, "SELECT `value`, floor FROM statsd.room", r#"[[21.5,"2"]]"#);
}

#[test]
fn collectd_is_split_and_written_before_a_stop() {
    let mut server = start_with(with_listeners());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut datagram = Vec::new();
    for (kind, text) in [(0_u8, "edge"), (2, "interface"), (3, "eth0"), (4, "if_octets")] {
        datagram.extend([0, kind, 0, text.len() as u8 + 5]);
        datagram.extend(text.bytes().chain([0]));
    }
    datagram.extend([0, 1, 0, 12]);
    datagram.extend(1_700_000_000_u64.to_be_bytes());
    datagram.extend([0, 6, 0, 24, 0, 2, 2, 2]);
    datagram.extend(5_i64.to_be_bytes().into_iter().chain(6_i64.to_be_bytes()));
    let address = server.listener_addresses().collectd.unwrap();
    socket.send_to(&datagram, address).unwrap();
    socket.send_to(&datagram[..datagram.len() - 1], address).unwrap();
    let mut connection = Connection::open(server.address());
    awaited(&mut connection, "SELECT `value`, `host`, `instance`, `type` FROM collectd.interface_rx", r#"[[5,"edge","eth0","if_octets"]]"#);
    awaited(&mut connection, "SELECT `value` FROM collectd.interface_tx", "[[6]]");
    drop(connection);
    server.shutdown();
}

#[test]
fn listeners_without_login_stay_on_this_machine() {
    let start = |listen: &str, open_listeners| {
        let engine = embudo_engine::Engine::open(embudo_engine::EngineOptions::memory()).unwrap();
        let statsd = Some(embudo_server::ListenerOptions::new(listen, "statsd"));
        embudo_server::Server::start(engine, embudo_server::ServerOptions { listen: "127.0.0.1:0".into(), statsd, open_listeners, ..Default::default() })
    };
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let error = start(listen, false).map(drop).unwrap_err();
        assert!(error.message().contains("without login"), "{listen}: {error}");
    }
    assert!(start("127.0.0.1:x", false).is_err());
    assert!(start("0.0.0.0:0", true).is_ok_and(|server| server.listener_addresses().statsd.is_some()));
}
