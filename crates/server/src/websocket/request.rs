//! JSON requests: `{"action":…,"args":{…}}`. Types must match, missing and null members are zero, unknown ones are ignored.

use embudo_types::{Error, Result, code};
use serde_json::{Map, Value as Json};

/// One request.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub action: String,
    /// With what.
    pub arguments: Arguments,
}

impl Request {
    /// Reads a text message; `None` where it is no request at all.
    pub fn parse(text: &str) -> Option<Self> {
        let Ok(Json::Object(mut members)) = serde_json::from_str(text) else { return None };
        let action = match members.remove("action") {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(action)) => action,
            Some(_) => return None,
        };
        let members = match members.remove("args") {
            Some(Json::Object(members)) => Some(members),
            _ => None,
        };
        let arguments = Arguments { action: action.clone(), members };
        Some(Self { action, arguments })
    }
}

/// What came under `args`.
#[derive(Debug)]
pub struct Arguments {
    action: String,
    members: Option<Map<String, Json>>,
}

impl Arguments {
    /// The client's id of the request; 0 where there is none that can be read.
    pub fn request_id(&self) -> u64 {
        self.members.as_ref().and_then(|members| members.get("req_id")).and_then(Json::as_u64).unwrap_or(0)
    }

    /// Refuses what cannot be read at all: no object, or an id that is none.
    pub fn check(&self) -> Result<()> {
        self.members.as_ref().ok_or_else(|| self.refused())?;
        self.unsigned("req_id").map(drop)
    }

    /// A member of the wrong type, in the adapter's words.
    pub fn refused(&self) -> Error {
        let words = match self.action.as_str() {
            "conn" => "connect".to_owned(),
            "query" => "ws query".to_owned(),
            action => action.replace('_', " "),
        };
        Error::with(code::UNCLASSIFIED, format!("unmarshal {words} request error"))
    }

    /// A member as it came.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members.as_ref().and_then(|members| members.get(name)).filter(|value| !value.is_null())
    }

    fn read<'a, T>(&'a self, name: &str, read: impl FnOnce(&'a Json) -> Option<T>) -> Result<Option<T>> {
        self.get(name).map(|value| read(value).ok_or_else(|| self.refused())).transpose()
    }

    /// A text; empty where there is none.
    pub fn text(&self, name: &str) -> Result<&str> {
        Ok(self.read(name, Json::as_str)?.unwrap_or_default())
    }

    /// A whole number from 0 on; 0 where there is none.
    pub fn unsigned(&self, name: &str) -> Result<u64> {
        Ok(self.read(name, Json::as_u64)?.unwrap_or_default())
    }

    /// A whole number, where there is one.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.read(name, Json::as_i64)
    }

    /// Yes or no; no where there is none.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.read(name, Json::as_bool)?.unwrap_or_default())
    }

    /// A list; empty where there is none.
    pub fn list(&self, name: &str) -> Result<&[Json]> {
        Ok(self.read(name, Json::as_array)?.map_or(&[], Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_zero_unless_they_are_there() {
        let request = Request::parse(r#"{"action":"fetch","args":{"req_id":18446744073709551615,"id":null,"more":[]}}"#).unwrap();
        assert_eq!((request.action.as_str(), request.arguments.request_id()), ("fetch", u64::MAX));
        assert_eq!(request.arguments.unsigned("id").unwrap(), 0);
        assert_eq!(request.arguments.text("sql").unwrap(), "");
        assert!(request.arguments.check().is_ok());
    }

    #[test]
    fn wrong_types_are_refused_in_recorded_words() {
        let refused = |text: &str| Request::parse(text).unwrap().arguments.check().map_err(|error| error.message().to_owned());
        let words = Err("unmarshal ws query request error".to_owned());
        assert_eq!(refused(r#"{"action":"query"}"#), words);
        assert_eq!(refused(r#"{"action":"query","args":{"req_id":"5"}}"#), words);
        assert_eq!(refused(r#"{"action":"query","args":{"req_id":-1}}"#), words);
        let request = Request::parse(r#"{"action":"query","args":{"req_id":5,"sql":1}}"#).unwrap();
        assert!(request.arguments.text("sql").is_err());
        for text in ["", "[]", "1", "{\"action\":", "{\"action\":1}"] {
            assert!(Request::parse(text).is_none(), "{text}");
        }
    }
}
