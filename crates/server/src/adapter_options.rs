//! Settings of TDengine's adapter that its clients notice, under its names.

use axum::http::StatusCode;
use embudo_types::{Code, code};

/// The settings; as the adapter has them by default.
#[derive(Clone, Debug, Default)]
pub struct AdapterOptions {
    /// `httpCodeServerError`: a statement that fails has an HTTP status of its own, where it is 200 by default.
    pub http_code_server_error: bool,
    /// `restfulRowLimit`: rows of a result over REST; those behind are left out without a word.
    pub restful_row_limit: Option<usize>,
    /// `smlAutoCreateDB`: schemaless writing over HTTP makes its database where it is missing.
    pub sml_auto_create_db: bool,
}

impl AdapterOptions {
    /// The status of a statement that failed.
    pub fn status(&self, code: Code) -> StatusCode {
        if !self.http_code_server_error {
            return StatusCode::OK;
        }
        match code {
            code::SYNTAX_ERROR_IN_SQL
            | code::SYNTAX_ERROR_IN_LINE
            | code::SYNTAX_ERROR_NEAR
            | code::TIMESTAMP_DATA_OUT_OF_RANGE
            | code::VALUE_OUT_OF_RANGE
            | code::START_END_TIME_OF_QUERY_RANGE => StatusCode::BAD_REQUEST,
            code if (code::USER_ALREADY_EXISTS..=code::AUTHENTICATION_FAILURE).contains(&code) => StatusCode::UNAUTHORIZED,
            code::SOME_VNODE_QNODE_MNODE_S_OUT => StatusCode::FORBIDDEN,
            code::UNABLE_TO_ESTABLISH_CONNECTION => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_statuses_where_they_are_asked_for() {
        let by_code = AdapterOptions { http_code_server_error: true, ..AdapterOptions::default() };
        for (code, status) in
            [(code::SYNTAX_ERROR_NEAR, 400), (code::AUTHENTICATION_FAILURE, 401), (code::DATABASE_NOT_EXIST, 500), (code::UNABLE_TO_ESTABLISH_CONNECTION, 502)]
        {
            assert_eq!((by_code.status(code).as_u16(), AdapterOptions::default().status(code).as_u16()), (status, 200), "{code}");
        }
    }
}
