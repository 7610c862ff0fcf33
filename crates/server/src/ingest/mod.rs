//! Writing without SQL (spec/protocols.md section 2): InfluxDB lines, OpenTSDB lines and JSON, Prometheus remote storage over HTTP; OpenTSDB,
//! statsd and collectd on ports of their own. What a
//! point means is `wire`'s and the engine's business; here are parameters, credentials, statuses and the forms of bodies.

pub mod datagrams;
pub mod influx;
pub mod opentsdb;
pub mod prometheus;
mod request;
pub mod telnet_listener;
mod unattended;
