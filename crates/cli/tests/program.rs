//! The program as people run it: exit codes, what is printed where, and the stop by a signal.

// A test ends at the first thing that is not as expected.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

fn embudo(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embudo"));
    command.args(words).env("TZ", "UTC").env_remove("EMBUDO_DSN").env_remove("EMBUDO_DATA");
    command
}

fn run(words: &[&str]) -> Output {
    embudo(words).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embudo-program-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that is killed with the test.
struct Serving(Child, String);

impl Serving {
    fn start(data: &str) -> Self {
        let mut child = embudo(&["serve", "--data", data, "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Self(child, address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SETUP: &str = "create database p; create table p.t (ts timestamp, v int, s nchar(20)); \
                     insert into p.t values ('2024-01-01', 1, '中文') ('2024-01-02', null, 'b');";

#[test]
fn the_version_and_words_that_mean_nothing() {
    let version = run(&["version"]);
    assert!(version.status.success() && text(&version.stdout).starts_with("embudo 0."));
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
    assert!(text(&run(&["--help"]).stdout).contains("serve"));
}

#[test]
fn statements_from_the_command_line() {
    let shown = run(&["shell", "--data", ":memory:", "-s", &format!("{SETUP} select v, s from p.t")]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("    1 | 中文\n NULL | b\n(2 rows, "), "{}", text(&shown.stdout));
    let failed = run(&["shell", "--data", ":memory:", "-s", "selec 1; select 2"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("[0x2600]: syntax error near \"selec 1\"") && failed.stdout.is_empty(), "{}", text(&failed.stderr));
    assert!(text(&run(&["shell"]).stderr).contains("--data"));
}

#[test]
fn csv_goes_out_and_comes_in_again() {
    let folder = Folder::new("csv");
    let (data, csv) = (folder.file("data"), folder.file("t.csv"));
    assert!(run(&["shell", "--data", &data, "-s", SETUP]).status.success());
    let exported = run(&["export", "--data", &data, "-s", "select * from p.t", "-o", &csv]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "ts,v,s\n2024-01-01T00:00:00.000Z,1,中文\n2024-01-02T00:00:00.000Z,,b\n");
    assert!(run(&["shell", "--data", &data, "-s", "create table p.u (ts timestamp, v int, s nchar(20))"]).status.success());
    let imported = run(&["import", "--data", &data, "--table", "p.u", &csv]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let shown = run(&["shell", "--data", &data, "--format", "csv", "-s", "select count(*), count(v) from p.u"]);
    assert_eq!(text(&shown.stdout), "count(*),count(v)\n2,1\n");
    std::fs::write(&csv, "ts,v\n2024-01-01,1\n2024-01-02,many\n").unwrap();
    let refused = run(&["import", "--data", &data, "--table", "p.u", &csv]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("line 3, column v: \"many\" is no INT"), "{}", text(&refused.stderr));
}

#[test]
fn a_flipped_byte_is_found() {
    let folder = Folder::new("check");
    let data = folder.file("data");
    assert!(run(&["shell", "--data", &data, "-s", &format!("{SETUP} flush database p;")]).status.success());
    let good = run(&["check", &data]);
    assert!(good.status.success() && text(&good.stdout).contains("p: 1 files, 2 rows"), "{}", text(&good.stdout));
    let blocks = find(Path::new(&data), "blocks").unwrap();
    let mut bytes = std::fs::read(&blocks).unwrap();
    bytes[70] ^= 0x40;
    std::fs::write(&blocks, bytes).unwrap();
    let bad = run(&["check", &data]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stdout).contains(&blocks.display().to_string()) && text(&bad.stdout).contains("offset 64"), "{}", text(&bad.stdout));
    assert_eq!(run(&["check", &folder.file("nowhere")]).status.code(), Some(1));
}

/// The first file with that extension.
fn find(folder: &Path, extension: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { find(&path, extension) } else { Some(path).filter(|path| path.extension().is_some_and(|found| found == extension)) }
    })
}

#[cfg(unix)]
#[test]
fn a_server_is_reached_by_url_and_stops_at_a_signal() {
    let folder = Folder::new("serve");
    let data = folder.file("data");
    let mut server = Serving::start(&data);
    let url = format!("taosrest://root:taosdata@{}", server.1);
    let filled = run(&["shell", "--url", &url, "-s", SETUP]);
    assert!(filled.status.success(), "{}", text(&filled.stderr));
    // The directory is taken; the message names the holder.
    let second = run(&["shell", "--data", &data, "-s", "select 1"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains(&format!("pid {}", server.0.id())), "{}", text(&second.stderr));
    // A hangup reads certificates again, where there are any, and ends nothing.
    assert!(Command::new("kill").args(["-HUP", &server.0.id().to_string()]).status().unwrap().success());
    assert_eq!(text(&run(&["shell", "--url", &url, "--format", "csv", "-s", "SELECT 1"]).stdout), "1\n1\n");
    assert!(Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap().success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    let kept = run(&["shell", "--data", &data, "--format", "csv", "-s", "select v from p.t"]);
    assert_eq!(text(&kept.stdout), "v\n1\n\n");
}

#[test]
fn statements_from_standard_input() {
    let mut child = embudo(&["shell", "--data", ":memory:", "--format", "csv"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"select 1;\nselect 'a;b' as t;").unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "1\n1\nt\na;b\n");
}
