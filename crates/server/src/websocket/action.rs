//! The names of actions, which endpoints have them, and since when.

use embudo_wire::binary_message as binary;

use super::Endpoint;
use crate::version::{AdvertisedVersion, Since};

/// JSON actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `version`
    Version,
    /// `conn`
    Connect,
    /// `query`
    Query,
    /// `fetch`
    Fetch,
    /// `fetch_block`
    FetchBlock,
    /// `free_result`
    FreeResult,
    /// `num_fields`
    FieldCount,
    /// `get_current_db`
    CurrentDatabase,
    /// `get_server_info`
    ServerInformation,
    /// `options_connection`
    SetOptions,
    /// `get_connection_info`
    ConnectionInformation,
    /// `check_server_status`
    ServerStatus,
    /// `insert`
    InsertLines,
    /// Prepared statements of the first kind.
    Statement(StatementAction),
    /// Prepared statements of the second kind.
    Statement2(Statement2Action),
}

/// What is done with a statement of the first kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementAction {
    /// `init`
    Open,
    /// `prepare`
    Prepare,
    /// `set_table_name`
    SetTable,
    /// `set_tags`
    SetTags,
    /// `bind`
    Bind,
    /// `add_batch`
    AddBatch,
    /// `exec`
    Execute,
    /// `close`
    Close,
    /// `get_tag_fields`
    TagFields,
    /// `get_col_fields`
    ColumnFields,
    /// `use_result`
    UseResult,
    /// `stmt_num_params`
    ParameterCount,
    /// `stmt_get_param`
    Parameter,
}

/// What is done with a statement of the second kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement2Action {
    /// `stmt2_init`
    Open,
    /// `stmt2_prepare`
    Prepare,
    /// `stmt2_exec`
    Execute,
    /// `stmt2_result`
    Result,
    /// `stmt2_close`
    Close,
}

const EVERYWHERE: &[Endpoint] = &[Endpoint::Unified, Endpoint::Query, Endpoint::Statement, Endpoint::Schemaless];
const QUERY: &[Endpoint] = &[Endpoint::Unified, Endpoint::Query];
const STATEMENT: &[Endpoint] = &[Endpoint::Unified, Endpoint::Statement];
const SCHEMALESS: &[Endpoint] = &[Endpoint::Unified, Endpoint::Schemaless];
const UNIFIED: &[Endpoint] = &[Endpoint::Unified];

impl Action {
    /// The action of a name at an endpoint of a server of this version.
    pub fn named(name: &str, endpoint: Endpoint, version: &AdvertisedVersion) -> Option<Self> {
        let (action, endpoints, since) = match name {
            "version" => (Self::Version, EVERYWHERE, None),
            "conn" => (Self::Connect, EVERYWHERE, None),
            "query" => (Self::Query, QUERY, None),
            "fetch" => (Self::Fetch, QUERY, None),
            "fetch_block" => (Self::FetchBlock, QUERY, None),
            "free_result" => (Self::FreeResult, QUERY, None),
            "num_fields" => (Self::FieldCount, UNIFIED, None),
            "get_current_db" => (Self::CurrentDatabase, UNIFIED, None),
            "get_server_info" => (Self::ServerInformation, UNIFIED, None),
            "options_connection" => (Self::SetOptions, UNIFIED, Some(Since::CONNECTION_OPTIONS)),
            "check_server_status" => (Self::ServerStatus, UNIFIED, Some(Since::DECIMAL)),
            "get_connection_info" => (Self::ConnectionInformation, UNIFIED, Some(Since::DECIMAL)),
            "insert" => (Self::InsertLines, SCHEMALESS, None),
            "init" => (Self::Statement(StatementAction::Open), STATEMENT, None),
            "prepare" => (Self::Statement(StatementAction::Prepare), STATEMENT, None),
            "set_table_name" => (Self::Statement(StatementAction::SetTable), STATEMENT, None),
            "set_tags" => (Self::Statement(StatementAction::SetTags), STATEMENT, None),
            "bind" => (Self::Statement(StatementAction::Bind), STATEMENT, None),
            "add_batch" => (Self::Statement(StatementAction::AddBatch), STATEMENT, None),
            "exec" => (Self::Statement(StatementAction::Execute), STATEMENT, None),
            "close" => (Self::Statement(StatementAction::Close), STATEMENT, None),
            "get_tag_fields" => (Self::Statement(StatementAction::TagFields), STATEMENT, None),
            "get_col_fields" => (Self::Statement(StatementAction::ColumnFields), STATEMENT, None),
            "use_result" => (Self::Statement(StatementAction::UseResult), UNIFIED, None),
            "stmt_num_params" => (Self::Statement(StatementAction::ParameterCount), UNIFIED, None),
            "stmt_get_param" => (Self::Statement(StatementAction::Parameter), UNIFIED, None),
            "stmt2_init" => (Self::Statement2(Statement2Action::Open), UNIFIED, Some(Since::STATEMENT2)),
            "stmt2_prepare" => (Self::Statement2(Statement2Action::Prepare), UNIFIED, Some(Since::STATEMENT2)),
            "stmt2_exec" => (Self::Statement2(Statement2Action::Execute), UNIFIED, Some(Since::STATEMENT2)),
            "stmt2_result" => (Self::Statement2(Statement2Action::Result), UNIFIED, Some(Since::STATEMENT2)),
            "stmt2_close" => (Self::Statement2(Statement2Action::Close), UNIFIED, Some(Since::STATEMENT2)),
            _ => return None,
        };
        (endpoints.contains(&endpoint) && since.is_none_or(|since| version.has(since))).then_some(action)
    }

    /// Whether a client must have logged in.
    pub fn needs_login(self) -> bool {
        !matches!(self, Self::Version | Self::Connect | Self::ServerStatus)
    }

    /// Whether replies, errors too, repeat the id of the statement.
    pub fn is_about_a_statement(self) -> bool {
        match self {
            Self::Statement(action) => action != StatementAction::Open,
            Self::Statement2(action) => action != Statement2Action::Open,
            _ => false,
        }
    }
}

/// The name of a binary action in replies, where an endpoint of a server of this version has it.
pub fn binary_name(action: u64, endpoint: Endpoint, version: &AdvertisedVersion) -> Option<&'static str> {
    let (name, endpoints, since) = match action {
        binary::action::SET_TAGS => ("set_tags", STATEMENT, None),
        binary::action::BIND => ("bind", STATEMENT, None),
        binary::action::WRITE_RAW => ("write_raw", QUERY, None),
        binary::action::WRITE_RAW_BLOCK => ("write_raw_block", QUERY, None),
        binary::action::WRITE_RAW_BLOCK_WITH_FIELDS => ("write_raw_block_with_fields", QUERY, None),
        binary::action::BINARY_QUERY => ("binary_query", UNIFIED, Some(Since::BINARY_QUERY)),
        binary::action::FETCH_RAW_BLOCK => ("fetch_raw_block", UNIFIED, Some(Since::BINARY_QUERY)),
        binary::action::STATEMENT2_BIND => ("stmt2_bind", UNIFIED, Some(Since::STATEMENT2)),
        binary::action::VALIDATE_SQL => ("validate_sql", UNIFIED, Some(Since::DECIMAL)),
        binary::action::STATEMENT2_BIND_EXECUTE => ("stmt2_bind_exec", UNIFIED, Some(Since::BIND_AND_EXECUTE)),
        // Ours at every version: a client asks for them only where the upgrade's answer named them.
        binary::action::EXECUTE => ("execute", UNIFIED, None),
        binary::action::EXECUTE_STATEMENT => ("execute_statement", UNIFIED, None),
        _ => return None,
    };
    (endpoints.contains(&endpoint) && since.is_none_or(|since| version.has(since))).then_some(name)
}

/// Whether replies to a binary action repeat the id of the statement.
pub fn is_about_a_statement(action: u64) -> bool {
    use binary::action::{BIND, EXECUTE_STATEMENT, SET_TAGS, STATEMENT2_BIND, STATEMENT2_BIND_EXECUTE};
    matches!(action, SET_TAGS | BIND | STATEMENT2_BIND | STATEMENT2_BIND_EXECUTE | EXECUTE_STATEMENT)
}
