//! What a server answers: JSON members, or a frame with a block.

use embudo_types::{Code, Error, Result, code};
use embudo_wire::execution;
use serde_json::Value as Json;

/// One answer.
#[derive(Debug)]
pub enum Reply {
    /// A JSON object.
    Json(Json),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Reply {
    /// The id of the request that it answers. Replies to `fetch_block` carry none but the result's id, which then stands for it.
    pub fn request(&self) -> Option<u64> {
        match self {
            Self::Json(json) => json.get("req_id").and_then(Json::as_u64),
            Self::Binary(bytes) if word(bytes, 0) == Some(u64::MAX) => word(bytes, 26),
            Self::Binary(bytes) => word(bytes, 8),
        }
    }
}

impl Reply {
    /// The result that the server holds for whoever fetches from it.
    pub fn held_result(&self) -> Option<u64> {
        let parsed;
        let members = match self {
            Self::Json(members) => members,
            Self::Binary(bytes) => {
                let executed = execution::read_reply(bytes).filter(|executed| executed.has_more)?;
                parsed = serde_json::from_slice::<Json>(executed.members).ok()?;
                &parsed
            }
        };
        let holds_rows = members["code"].as_u64() == Some(0) && members["is_update"].as_bool() == Some(false);
        members["id"].as_u64().filter(|_| holds_rows)
    }
}

/// The members of a successful answer, else its error.
pub fn checked(json: Json) -> Result<Json> {
    match json.get("code").and_then(Json::as_u64) {
        Some(0) => Ok(json),
        code => {
            let message = json.get("message").and_then(Json::as_str).unwrap_or_default().to_owned();
            let code = Code(code.map_or(code::UNCLASSIFIED.0, |code| code as u16));
            Err(Error::with(code, if message.is_empty() { code.text().to_owned() } else { message }))
        }
    }
}

/// A `fetch_raw_block` reply (spec/protocols.md 3.3): the raw block, or `None` at the end of the data.
pub fn raw_block(frame: &[u8]) -> Result<Option<&[u8]>> {
    let broken = || Error::with(code::INVALID_MESSAGE, "a fetch_raw_block reply is too short");
    let int = |at: usize| frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes).ok_or_else(broken);
    let (status, length) = (int(34)?, int(38)? as usize);
    let message = frame.get(42..).and_then(|rest| rest.get(..length)).ok_or_else(broken)?;
    if status != 0 {
        return Err(Error::with(Code(status as u16), String::from_utf8_lossy(message)));
    }
    match frame.get(50 + length).ok_or_else(broken)? {
        0 => {
            let size = int(51 + length)? as usize;
            frame.get(55 + length..).and_then(|rest| rest.get(..size)).map(Some).ok_or_else(broken)
        }
        _ => Ok(None),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_end_of_data_is_read() {
        // spec/protocols.md 3.11.
        let hex = "ffffffffffffffff07000000000000000100e80300000000000012000000000000000000000000000000050000000000000001";
        let frame: Vec<u8> = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert!(raw_block(&frame).unwrap().is_none());
        assert_eq!(Reply::Binary(frame.clone()).request(), Some(0x12));
        for cut in 0..frame.len() {
            assert!(raw_block(&frame[..cut]).is_err());
        }
    }

    #[test]
    fn errors_keep_their_code() {
        let error = checked(serde_json::json!({"code": 904, "message": "Database not exist"})).unwrap_err();
        assert_eq!((error.code(), error.message()), (code::DATABASE_NOT_EXIST, "Database not exist"));
    }
}
