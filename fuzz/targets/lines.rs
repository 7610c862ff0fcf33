//! Any text of any line protocol is points or an error: InfluxDB lines, OpenTSDB lines and JSON, statsd; collectd's datagrams too.
#![no_main]

use embudo_wire::{
    collectd::{self, TypeSet},
    schemaless::{LineWriter, TimeUnit, parse_influx, parse_json, parse_telnet},
    statsd::{self, Gathering},
};

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (protocol, bytes) = input;
    if protocol % 5 == 4 {
        let (types, mut lines) = (TypeSet::standard(), LineWriter::new());
        let _ = collectd::parse(bytes, &mut |list| collectd::write_lines(list, &types, 1, &mut lines));
        return written(&lines.finish());
    }
    let text = String::from_utf8_lossy(bytes);
    match protocol % 5 {
        0 => {
            let _ = parse_influx(&text, TimeUnit::Nano, &mut |point| {
                point.child_name();
                Ok(())
            });
        }
        1 => {
            let _ = parse_telnet(&text, &mut |point| {
                point.child_name();
                Ok(())
            });
        }
        2 => {
            let _ = parse_json(&text, &mut |point| {
                point.child_name();
                Ok(())
            });
        }
        _ => {
            let mut gathering = Gathering::new(100);
            for line in text.lines() {
                let _ = statsd::parse_line(line, &mut |metric| gathering.add(&metric));
            }
            written(&gathering.finish(1));
        }
    }
});

/// What a gatherer writes is lines, each of them a point.
fn written(lines: &str) {
    if lines.is_empty() {
        return;
    }
    let mut points = 0;
    let outcome = parse_influx(lines, TimeUnit::Nano, &mut |_| {
        points += 1;
        Ok(())
    });
    // Names may be longer than a table's, empty, or the same twice once control characters are gone; nothing else is refused.
    match outcome {
        Ok(()) => assert_eq!(points, lines.lines().count(), "{lines}"),
        Err(error) => {
            assert!(["too long", "too large", "empty", "invalid key", "duplicated"].iter().any(|word| error.message().contains(word)), "{error}: {lines}")
        }
    }
}
