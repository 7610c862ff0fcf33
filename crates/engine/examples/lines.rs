//! How many InfluxDB lines a second of TSBS's cpu-only kind one thread writes: `cargo run --release -p embudo-engine --example lines`.
//! Arguments: hosts (default 4000), lines a call (default 10000), calls (default 100), directory (default: memory).

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use embudo_engine::{Engine, EngineOptions, LineOptions};
use embudo_types::Result;
use embudo_wire::schemaless::LineProtocol;

const FIELDS: [&str; 10] =
    ["usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait", "usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"];

/// The lines `first..first + count` of the walk over all hosts, ten seconds a round.
fn lines(first: usize, count: usize, hosts: usize) -> String {
    let mut text = String::with_capacity(count * 360);
    let mut state = first as u64 + 1;
    for at in first..first + count {
        let (host, round) = (at % hosts, (at / hosts) as i64);
        let _ = write!(
            text,
            "cpu,hostname=host_{host},region=eu-central-1,datacenter=eu-central-1a,rack={},os=Ubuntu15.10,arch=x86,team=SF,service={},service_version=1,\
             service_environment=production ",
            host % 100,
            host % 20
        );
        for (place, field) in FIELDS.iter().enumerate() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{field}={}i", (state >> 33) % 101);
        }
        let _ = writeln!(text, " {}", 1_700_000_000_000_000_000 + round * 10_000_000_000);
    }
    text
}

/// Time that this process's threads have worked.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = text.rsplit(')').next().map(|rest| rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum::<u64>());
    Duration::from_millis(ticks.unwrap_or(0) * 10)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (hosts, count, calls) = (number(4_000), number(10_000), number(100));
    let options = std::env::args().nth(4).map_or_else(EngineOptions::memory, EngineOptions::directory);
    let session = Engine::open(options)?.session("root")?;
    session.execute("CREATE DATABASE IF NOT EXISTS bench PRECISION 'ns'", &[])?;
    session.use_database("bench")?;
    let (mut spent, mut cpu) = (Duration::ZERO, Duration::ZERO);
    let mut bytes = 0;
    for call in 0..calls {
        let text = lines(call * count, count, hosts);
        bytes += text.len();
        let (started, before) = (Instant::now(), worked());
        session.write_lines(&text, &LineOptions::new(LineProtocol::Influx))?;
        spent += started.elapsed();
        cpu += worked().saturating_sub(before);
    }
    let lines = (calls * count) as f64;
    println!(
        "{lines} lines of {} bytes: {:.0} lines/s, {:.0} lines a second of processor time",
        bytes / (calls * count),
        lines / spent.as_secs_f64(),
        lines / cpu.as_secs_f64()
    );
    Ok(())
}
