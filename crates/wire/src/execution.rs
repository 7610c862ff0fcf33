//! Embudo's own WebSocket actions, which answer with a result's first block: a statement with its parameters, or a prepared one with its bound
//! rows, is one message there and one back. TDengine's adapter has none of them; a server that has tells so in the answer to the upgrade
//! ([`HEADER`]). All integers little-endian; requests begin with [`Head`](crate::binary_message::Head) and a version.

use embudo_types::{DataType, Error, Result, Value, code};

use crate::binary_message::{Head, action};

/// The header of an upgrade's answer, and its value, by which a server tells that it has these actions.
pub const HEADER: (&str, &str) = ("embudo-actions", "execute");
/// The version of requests and replies.
const VERSION: u16 = 1;
/// Bytes of a reply before the length of its members.
const REPLY_HEAD: usize = 34;

/// A statement's text and a value for every `?`.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The text.
    pub sql: String,
    /// The values.
    pub parameters: Vec<Value>,
}

/// The message that runs a statement.
pub fn execute_request(request: u64, sql: &str, parameters: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + sql.len() + 16 * parameters.len());
    out.extend_from_slice(&Head { request, resource: 0, action: action::EXECUTE }.to_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    write_bytes(sql.as_bytes(), &mut out);
    out.extend_from_slice(&(parameters.len() as u32).to_le_bytes());
    for value in parameters {
        write_value(value, &mut out);
    }
    out
}

/// Reads what follows the head of a message that runs a statement.
pub fn execution(body: &[u8]) -> Result<Execution> {
    let mut bytes = Bytes(versioned(body)?);
    let sql = text(bytes.block()?.to_vec(), "the statement")?;
    let count = bytes.length()?;
    // Every value takes a byte at least.
    if count > bytes.0.len() {
        return Err(short());
    }
    let parameters = (0..count).map(|_| bytes.value()).collect::<Result<_>>()?;
    if bytes.0.is_empty() { Ok(Execution { sql, parameters }) } else { Err(refused("bytes follow the last parameter")) }
}

/// The message that binds a payload by table (`stmt2`), which may be empty, to a prepared statement and runs it.
pub fn execute_statement_request(request: u64, statement: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + payload.len());
    out.extend_from_slice(&Head { request, resource: statement, action: action::EXECUTE_STATEMENT }.to_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(payload);
    out
}

/// What follows the version in the body of a request.
pub fn versioned(body: &[u8]) -> Result<&[u8]> {
    match body.split_at_checked(2) {
        Some((version, rest)) if version == VERSION.to_le_bytes() => Ok(rest),
        Some((version, _)) => Err(refused(&format!("unknown execute version:{}", u16::from_le_bytes([version[0], version[1]])))),
        None => Err(short()),
    }
}

/// What a reply says beside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed<'a> {
    /// The members of the reply to `binary_query`, as JSON.
    pub members: &'a [u8],
    /// Whether more blocks can be fetched by the id among the members.
    pub has_more: bool,
    /// The first block.
    pub block: Option<&'a [u8]>,
}

/// A reply, that took `timing` nanoseconds. Failures are answered as those of other actions.
pub fn reply(request: u64, timing: u64, executed: Executed<'_>) -> Vec<u8> {
    let block = executed.block.unwrap_or_default();
    let mut out = Vec::with_capacity(REPLY_HEAD + 9 + executed.members.len() + block.len());
    out.extend_from_slice(&u64::MAX.to_le_bytes());
    out.extend_from_slice(&action::EXECUTE.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&timing.to_le_bytes());
    // Here all replies in bytes have it.
    out.extend_from_slice(&request.to_le_bytes());
    write_bytes(executed.members, &mut out);
    out.push(u8::from(executed.has_more));
    write_bytes(block, &mut out);
    out
}

/// Reads a reply; `None` where it is another message.
pub fn read_reply(message: &[u8]) -> Option<Executed<'_>> {
    let is_one = message.get(8..16) == Some(&action::EXECUTE.to_le_bytes()) && message.get(16..18) == Some(&VERSION.to_le_bytes());
    let mut bytes = Bytes(message.get(REPLY_HEAD..).filter(|_| is_one)?);
    let members = bytes.block().ok()?;
    let has_more = bytes.take(1).ok()? != [0];
    let block = bytes.block().ok()?;
    Some(Executed { members, has_more, block: (!block.is_empty()).then_some(block) })
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A value: the number of its type, then its bytes, with their length where the type leaves it open.
fn write_value(value: &Value, out: &mut Vec<u8>) {
    out.push(value.data_type().id());
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::TinyInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::SmallInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Int(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::BigInt(value) | Value::Timestamp(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::UTinyInt(value) => out.push(*value),
        Value::USmallInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::UInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::UBigInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Float(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => write_bytes(bytes, out),
        Value::NChar(text) | Value::Json(text) => write_bytes(text.as_bytes(), out),
        Value::Decimal(unscaled, precision, scale) => {
            out.extend_from_slice(&[*precision, *scale]);
            out.extend_from_slice(&unscaled.to_le_bytes());
        }
    }
}

/// What is left of a body.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(Error::internal)
    }

    fn length(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.fixed()?) as usize)
    }

    fn block(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn value(&mut self) -> Result<Value> {
        let [id] = self.fixed()?;
        Ok(match DataType::from_id(id, 0)? {
            DataType::Null => Value::Null,
            DataType::Bool => Value::Bool(self.fixed::<1>()? != [0]),
            DataType::TinyInt => Value::TinyInt(i8::from_le_bytes(self.fixed()?)),
            DataType::SmallInt => Value::SmallInt(i16::from_le_bytes(self.fixed()?)),
            DataType::Int => Value::Int(i32::from_le_bytes(self.fixed()?)),
            DataType::BigInt => Value::BigInt(i64::from_le_bytes(self.fixed()?)),
            DataType::Timestamp => Value::Timestamp(i64::from_le_bytes(self.fixed()?)),
            DataType::UTinyInt => Value::UTinyInt(u8::from_le_bytes(self.fixed()?)),
            DataType::USmallInt => Value::USmallInt(u16::from_le_bytes(self.fixed()?)),
            DataType::UInt => Value::UInt(u32::from_le_bytes(self.fixed()?)),
            DataType::UBigInt => Value::UBigInt(u64::from_le_bytes(self.fixed()?)),
            DataType::Float => Value::Float(f32::from_le_bytes(self.fixed()?)),
            DataType::Double => Value::Double(f64::from_le_bytes(self.fixed()?)),
            DataType::Varchar(_) => Value::Varchar(self.block()?.to_vec()),
            DataType::VarBinary(_) => Value::VarBinary(self.block()?.to_vec()),
            DataType::Geometry(_) => Value::Geometry(self.block()?.to_vec()),
            DataType::Blob | DataType::MediumBlob => Value::Blob(self.block()?.to_vec()),
            DataType::NChar(_) => Value::NChar(text(self.block()?.to_vec(), "a parameter")?),
            DataType::Json => Value::Json(text(self.block()?.to_vec(), "a parameter")?),
            DataType::Decimal(..) => {
                let [precision, scale] = self.fixed()?;
                Value::Decimal(i128::from_le_bytes(self.fixed()?), precision, scale)
            }
        })
    }
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String> {
    let invalid = |error: std::string::FromUtf8Error| {
        let message = format!("syntax error: {what} is not valid UTF-8 at byte {}", error.utf8_error().valid_up_to());
        Error::with(code::SYNTAX_ERROR_NEAR, message)
    };
    String::from_utf8(bytes).map_err(invalid)
}

fn short() -> Error {
    refused("message length is too short")
}

fn refused(what: &str) -> Error {
    Error::with(code::UNCLASSIFIED, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::TinyInt),
            any::<i16>().prop_map(Value::SmallInt),
            any::<i32>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::BigInt),
            any::<i64>().prop_map(Value::Timestamp),
            any::<u8>().prop_map(Value::UTinyInt),
            any::<u16>().prop_map(Value::USmallInt),
            any::<u32>().prop_map(Value::UInt),
            any::<u64>().prop_map(Value::UBigInt),
            any::<f32>().prop_filter("equal to itself", |value| !value.is_nan()).prop_map(Value::Float),
            any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()).prop_map(Value::Double),
            bytes().prop_map(Value::Varchar),
            bytes().prop_map(Value::VarBinary),
            bytes().prop_map(Value::Geometry),
            bytes().prop_map(Value::Blob),
            any::<String>().prop_map(Value::NChar),
            any::<String>().prop_map(Value::Json),
            (any::<i128>(), 1..=38_u8, 0..=38_u8).prop_map(|(unscaled, precision, scale)| Value::Decimal(unscaled, precision, scale)),
        ]
    }

    fn body(message: &[u8]) -> (Head, &[u8]) {
        Head::parse(message).unwrap()
    }

    proptest! {
        #[test]
        fn statements_arrive_as_they_were_sent(sql in any::<String>(), parameters in proptest::collection::vec(value(), 0..6)) {
            let message = execute_request(7, &sql, &parameters);
            let (head, rest) = body(&message);
            prop_assert_eq!(head, Head { request: 7, resource: 0, action: action::EXECUTE });
            prop_assert_eq!(execution(rest).unwrap(), Execution { sql, parameters });
            for cut in 0..rest.len() {
                prop_assert!(execution(&rest[..cut]).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = execution(&bytes);
            let _ = read_reply(&bytes);
        }

        #[test]
        fn replies_arrive_as_they_were_sent(members in any::<String>(), has_more in any::<bool>(), block in proptest::collection::vec(any::<u8>(), 0..40)) {
            let executed = Executed { members: members.as_bytes(), has_more, block: (!block.is_empty()).then_some(block.as_slice()) };
            let message = reply(9, 1, executed);
            prop_assert_eq!(read_reply(&message), Some(executed));
            for cut in 0..message.len() {
                prop_assert!(read_reply(&message[..cut]).is_none());
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |body: &[u8]| execution(body).unwrap_err().message().to_owned();
        assert_eq!(told(&[]), "message length is too short");
        assert_eq!(told(&[2, 0]), "unknown execute version:2");
        let mut message = execute_request(1, "SELECT 1", &[]);
        message.push(0);
        assert_eq!(told(body(&message).1), "bytes follow the last parameter");
        let mut message = execute_request(1, "a", &[]);
        let at = message.len() - 5;
        message[at] = 0xff;
        assert_eq!(told(body(&message).1), "syntax error: the statement is not valid UTF-8 at byte 0");
        // A count of parameters that cannot be there reserves nothing.
        let mut message = execute_request(1, "a", &[]);
        let at = message.len() - 4;
        message[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(told(body(&message).1), "message length is too short");
    }

    #[test]
    fn statements_are_run_by_their_id() {
        let message = execute_statement_request(5, 3, b"payload");
        let (head, rest) = body(&message);
        assert_eq!((head.resource, head.action), (3, action::EXECUTE_STATEMENT));
        assert_eq!(versioned(rest).unwrap(), b"payload");
    }
}
