//! The `embudo` program.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(embudo_cli::run(std::env::args_os()))
}
