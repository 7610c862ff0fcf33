//! A process that writes and consumes is killed again and again: what it acknowledged is delivered at least once, in order, and what the
//! group committed is not forgotten.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use embudo_types::subscription::{Message, OffsetReset, SubscribeOptions};

use crate::{Consumer, Engine, EngineOptions, Session};

const DIRECTORY: &str = "EMBUDO_KILL_TEST_DIRECTORY";
const KILLS: usize = 12;
const TABLES: i64 = 5;

fn session(directory: &PathBuf) -> Session {
    let session = Engine::open(EngineOptions::directory(directory)).unwrap().session("root").unwrap();
    for sql in [
        "CREATE DATABASE IF NOT EXISTS d VGROUPS 2",
        "USE d",
        "CREATE STABLE IF NOT EXISTS st (ts TIMESTAMP, n BIGINT) TAGS (g INT)",
        "CREATE TOPIC IF NOT EXISTS t AS SELECT n FROM st",
    ] {
        session.execute(sql, &[]).unwrap();
    }
    session
}

fn consumer(session: &Session) -> Consumer {
    let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, auto_commit: false, ..SubscribeOptions::new("g", ["t"]) };
    session.subscribe(options).unwrap()
}

fn numbers(message: &Message) -> Vec<i64> {
    message.blocks.iter().flat_map(|block| block.batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// One line a fact, whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("\n@{line}\n").as_bytes());
    let _ = out.flush();
}

/// The process that is killed; nothing when run as a test.
#[test]
fn killed_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let session = session(&PathBuf::from(directory));
    let first = session.execute("SELECT COUNT(*) FROM st", &[]).unwrap().collect().unwrap();
    let first = first.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    let writer = session.clone();
    std::thread::spawn(move || {
        for number in first.. {
            let sql = format!("INSERT INTO c{0} USING st TAGS ({0}) VALUES ({1}, {number})", number % TABLES, 1_700_000_000_000 + number);
            writer.execute(&sql, &[]).unwrap();
            say(&format!("written {number}"));
            if number % 97 == 96 {
                writer.execute("FLUSH DATABASE d", &[]).unwrap();
            }
        }
    });
    let consumer = consumer(&session);
    loop {
        let Some(message) = consumer.poll(Duration::from_secs(1)).unwrap() else { continue };
        for number in numbers(&message) {
            say(&format!("got {} {number}", message.vgroup));
        }
        consumer.commit(&message.topic, message.vgroup, message.next).unwrap();
        say(&format!("committed {} {}", message.vgroup, message.next));
    }
}

#[test]
fn a_kill_loses_no_message() {
    let directory = std::env::temp_dir().join(format!("embudo-kill-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let (mut written, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut committed = std::collections::BTreeMap::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "subscription::kill_test::killed_process", "--nocapture"])
            .env(DIRECTORY, &directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last_of = std::collections::BTreeMap::new();
        let mut left = 40 + kill * 61 % 400;
        let mut is_killed = false;
        for line in lines.by_ref().map_while(Result::ok) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words[at].parse::<i64>().unwrap();
            match words.first().copied() {
                Some("@written") => drop(written.insert(number(1))),
                Some("@got") => {
                    // In order within a vgroup.
                    assert!(last_of.insert(number(1), number(2)).is_none_or(|before| before < number(2)), "{line}");
                    seen.insert(number(2));
                }
                Some("@committed") => drop(committed.insert(number(1), number(2))),
                _ => continue,
            }
            left -= 1;
            if left == 0 && !is_killed {
                is_killed = true;
                child.kill().unwrap();
                // What is in the pipe was said before.
                left = usize::MAX;
            }
        }
        assert!(is_killed, "the process ended by itself");
        child.wait().unwrap();
    }
    let session = session(&directory);
    let consumer = consumer(&session);
    for (vgroup, offset) in &committed {
        let kept = consumer.committed("t", i32::try_from(*vgroup).unwrap()).unwrap();
        // A commit may have been written and not said.
        assert!(kept >= Some(*offset), "vgroup {vgroup}: {kept:?} of {offset}");
    }
    while let Some(message) = consumer.try_poll().unwrap() {
        seen.extend(numbers(&message));
    }
    assert!(written.len() > 100 && written.is_subset(&seen), "{:?} were lost", written.difference(&seen).collect::<Vec<_>>());
    drop((consumer, session));
    std::fs::remove_dir_all(&directory).unwrap();
}
