//! Writing without SQL over HTTP (spec/protocols.md section 2): InfluxDB lines, OpenTSDB lines and JSON, Prometheus remote storage. What a
//! point means is `wire`'s and the engine's business; here are parameters, credentials, statuses and the forms of bodies.

pub mod influx;
pub mod opentsdb;
pub mod prometheus;
mod request;
pub mod telnet_listener;
