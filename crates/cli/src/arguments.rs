//! The words of the command line. What they do is the other modules' business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "embudo",
    version,
    about = "An embedded time-series database that speaks TDengine's SQL and protocols",
    after_help = "Examples:\n  embudo serve --data ./data --listen 127.0.0.1:6041\n  embudo shell --data ./data\n  embudo shell --url taosrest://root:taosdata@localhost:6041/power -s 'SELECT COUNT(*) FROM meters'\n  embudo import --data ./data --table power.meters meters.csv"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Command {
    /// Serve a database to TDengine's clients (REST and WebSocket on port 6041)
    Serve(ServeOptions),
    /// Type SQL, or run it from the command line or standard input
    Shell(ShellOptions),
    /// Write the rows of CSV files to a table
    Import(ImportOptions),
    /// Write a query's rows as CSV
    Export(ExportOptions),
    /// Read every file of a database and report what is damaged
    Check(CheckOptions),
    /// Print the version
    Version,
}

/// Options of `serve`; each also stands in the environment, and in the configuration file under its long name.
#[derive(Args, Debug, Default)]
pub struct ServeOptions {
    /// The database: a directory, made if missing, or :memory: [required, here or in the file]
    #[arg(long, value_name = "DIR|:memory:", env = "EMBUDO_DATA")]
    pub data: Option<String>,
    /// Where to listen: host:port, or :port for every interface [default: 127.0.0.1:6041]
    #[arg(long, value_name = "HOST:PORT", env = "EMBUDO_LISTEN")]
    pub listen: Option<String>,
    /// Memory for data, caches and queries, such as 512MB or 2GB [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE", env = "EMBUDO_MEMORY_LIMIT")]
    pub memory_limit: Option<String>,
    /// Time zone of sessions that name none, such as Asia/Shanghai [default: the machine's]
    #[arg(long, value_name = "ZONE", env = "EMBUDO_TIMEZONE")]
    pub timezone: Option<String>,
    /// Largest request body [default: 16MB]
    #[arg(long, value_name = "SIZE", env = "EMBUDO_BODY_LIMIT")]
    pub body_limit: Option<String>,
    /// Most connections at a time [default: 1024]
    #[arg(long, value_name = "NUMBER", env = "EMBUDO_CONNECTIONS")]
    pub connections: Option<usize>,
    /// How long a client may leave a result unread [default: 300]
    #[arg(long, value_name = "SECONDS", env = "EMBUDO_RESULT_TIMEOUT")]
    pub result_timeout: Option<u64>,
    /// The TDengine version that WebSocket clients are told [default: 3.3.6.13]
    #[arg(long, value_name = "VERSION", env = "EMBUDO_ADVERTISE_VERSION")]
    pub advertise_version: Option<String>,
    /// How long a statement may take, fetching its rows included [default: as long as it needs]
    #[arg(long, value_name = "SECONDS", env = "EMBUDO_STATEMENT_TIMEOUT")]
    pub statement_timeout: Option<f64>,
    /// Encrypt connections with this certificate, in PEM form with those that vouch for it; read again when it changes or at SIGHUP [default: plain]
    #[arg(long, value_name = "FILE", env = "EMBUDO_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form [default: none]
    #[arg(long, value_name = "FILE", env = "EMBUDO_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Also take OpenTSDB telnet lines on this TCP port of this machine, without login, into database `opentsdb_telnet` [default: off; usual: 6046]
    #[arg(long, value_name = "[HOST:]PORT", env = "EMBUDO_OPENTSDB_TELNET")]
    pub opentsdb_telnet: Option<String>,
    /// Also take statsd's datagrams on this UDP port of this machine, without login, into database `statsd` [default: off; usual: 6044]
    #[arg(long, value_name = "[HOST:]PORT", env = "EMBUDO_STATSD")]
    pub statsd: Option<String>,
    /// How often what statsd's clients sent is summed up and written [default: 5]
    #[arg(long, value_name = "SECONDS", env = "EMBUDO_STATSD_INTERVAL")]
    pub statsd_interval: Option<f64>,
    /// Also take collectd's datagrams on this UDP port of this machine, without login, into database `collectd` [default: off; usual: 6045]
    #[arg(long, value_name = "[HOST:]PORT", env = "EMBUDO_COLLECTD")]
    pub collectd: Option<String>,
    /// A types.db that names values of collectd's types, beside those that collectd comes with [default: none]
    #[arg(long, value_name = "FILE", env = "EMBUDO_COLLECTD_TYPES")]
    pub collectd_types: Option<PathBuf>,
    /// Let the listeners without login listen beyond this machine, where their address says so [default: false]
    #[arg(long, env = "EMBUDO_OPEN_LISTENERS", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub open_listeners: Option<bool>,
    /// Answer statements that fail over REST with an HTTP status of their own, as taosAdapter's httpCodeServerError [default: false]
    #[arg(long, env = "EMBUDO_HTTP_CODE_SERVER_ERROR", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub http_code_server_error: Option<bool>,
    /// Rows of a result over REST, as taosAdapter's restfulRowLimit; further ones are left out [default: no limit]
    #[arg(long, value_name = "NUMBER", env = "EMBUDO_RESTFUL_ROW_LIMIT")]
    pub restful_row_limit: Option<usize>,
    /// Let schemaless writing over HTTP make databases, as taosAdapter's smlAutoCreateDB [default: false]
    #[arg(long, env = "EMBUDO_SML_AUTO_CREATE_DB", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub sml_auto_create_db: Option<bool>,
    /// How much to log on standard error [default: warn]
    #[arg(long, value_name = "LEVEL", env = "EMBUDO_LOG")]
    pub log: Option<LogLevel>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", env = "EMBUDO_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// A TOML file with any of these options, under their long names with underscores [default: none]
    #[arg(long, value_name = "FILE", env = "EMBUDO_CONFIG")]
    pub config: Option<PathBuf>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures of the program.
    Error,
    /// What an operator should look at.
    Warn,
    /// Start, stop and changes.
    Info,
    /// Every statement.
    Debug,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for collectors
    Json,
}

/// Which database a command talks to.
#[derive(Args, Clone, Debug, Default)]
pub struct Target {
    /// A database directory, opened in this process, or :memory:
    #[arg(long, value_name = "DIR|:memory:", conflicts_with = "url")]
    pub data: Option<String>,
    /// A server or a directory as a DSN
    #[arg(long, value_name = "DSN", env = "EMBUDO_DSN", long_help = "A server or a directory as a DSN, such as taosrest://root:taosdata@localhost:6041/power")]
    pub url: Option<String>,
    /// The database that names without one refer to
    #[arg(short, long, value_name = "NAME")]
    pub database: Option<String>,
}

/// Options of `shell`.
#[derive(Args, Debug)]
pub struct ShellOptions {
    /// Where to connect.
    #[command(flatten)]
    pub target: Target,
    /// Run these statements, separated by semicolons, and leave
    #[arg(short, long = "sql", value_name = "SQL")]
    pub sql: Option<String>,
    /// Run the statements of this file and leave
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    pub file: Option<PathBuf>,
    /// How results look
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One line a cell
    Vertical,
    /// Comma-separated values with a header line
    Csv,
}

/// Options of `import`.
#[derive(Args, Debug)]
pub struct ImportOptions {
    /// Where to connect.
    #[command(flatten)]
    pub target: Target,
    /// The table: a normal or child table, or a supertable with a column tbname in the file
    #[arg(long, value_name = "[DATABASE.]TABLE")]
    pub table: String,
    /// CSV files whose first line names the columns; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportOptions {
    /// Where to connect.
    #[command(flatten)]
    pub target: Target,
    /// The query
    #[arg(short, long = "sql", value_name = "SQL")]
    pub sql: String,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckOptions {
    /// The database's directory; a server may be using it
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn words_are_understood() {
        let parse = |words: &[&str]| Arguments::try_parse_from(words);
        assert!(matches!(parse(&["embudo", "serve", "--data", "d", "--log", "info"]).unwrap().command, Command::Serve(_)));
        assert!(parse(&["embudo", "shell", "--data", "d", "--url", "taosrest://h"]).is_err());
        assert!(parse(&["embudo", "shell", "-s", "select 1", "--format", "csv"]).is_ok());
        assert!(parse(&["embudo", "import", "--table", "t"]).is_err());
        assert!(parse(&["embudo"]).is_err());
    }

    #[test]
    fn help_shows_every_default() {
        let mut command = Arguments::command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        for argument in serve.get_arguments().filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version")) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("[default: ") || help.contains("[required"), "--{}: {help}", argument.get_id());
            assert!(argument.get_env().is_some(), "--{}", argument.get_id());
        }
    }
}
