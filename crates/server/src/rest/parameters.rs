//! The query parameters of `/rest/sql` (spec/protocols.md 1.3).

use embudo_types::Zone;

use crate::{authentication::token_of, refusal::Refusal};

/// What the URL's query says; unknown names are ignored.
#[derive(Debug, Default)]
pub struct Parameters {
    /// `conn_tz`, else `tz`: the zone that results are shown in.
    pub shown_zone: Option<Zone>,
    /// `conn_tz`: the zone that the statement is read in.
    pub session_zone: Option<Zone>,
    /// Rows as objects.
    pub row_with_meta: bool,
    /// Whether the answer tells the time it took.
    pub timing: bool,
    /// The client's id of the request, for the log.
    pub request_id: Option<i64>,
    /// The program that asks, for the log.
    pub application: Option<String>,
    /// Where it says that it is.
    pub address: Option<String>,
    /// A credential.
    pub token: Option<String>,
}

impl Parameters {
    /// Reads a URL's query.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            match name.as_ref() {
                "tz" if parameters.session_zone.is_none() => parameters.shown_zone = zone(&value)?,
                "tz" => {
                    zone(&value)?;
                }
                "conn_tz" => {
                    parameters.session_zone = zone(&value)?;
                    if parameters.session_zone.is_some() {
                        parameters.shown_zone.clone_from(&parameters.session_zone);
                    }
                }
                "row_with_meta" => parameters.row_with_meta = boolean(&name, &value)?,
                "timing" => parameters.timing = value == "true",
                "req_id" => parameters.request_id = request_id(&value)?,
                "app" => parameters.application = Some(value.into_owned()),
                "ip" => parameters.address = Some(value.into_owned()),
                "token" => parameters.token = Some(token_of(&value)),
                _ => {}
            }
        }
        Ok(parameters)
    }
}

/// A zone's name; empty is as good as none.
fn zone(name: &str) -> Result<Option<Zone>, Refusal> {
    if name.is_empty() {
        return Ok(None);
    }
    Zone::named(name).map(Some).map_err(|_| Refusal::bad_request(format!("unknown time zone {name}")))
}

/// The spellings of booleans that the adapter takes.
fn boolean(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Refusal::bad_request(format!("illegal param, {name} must be a boolean: {value:?}"))),
    }
}

/// A signed 64-bit number; 0 and empty are as good as none.
fn request_id(value: &str) -> Result<Option<i64>, Refusal> {
    use std::num::IntErrorKind;
    let reason = match value.parse::<i64>() {
        Ok(id) => return Ok((id != 0).then_some(id)),
        Err(_) if value.is_empty() => return Ok(None),
        Err(error) if matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => "value out of range",
        Err(_) => "invalid syntax",
    };
    // The recorded text, which names the function that the adapter parses with.
    Err(Refusal::bad_request(format!("illegal param, req_id must be numeric strconv.ParseInt: parsing {value:?}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Option<Parameters> {
        Parameters::parse(Some(query)).ok()
    }

    #[test]
    fn zones_show_and_the_connection_s_zone_wins() {
        let shanghai = Zone::named("Asia/Shanghai").unwrap();
        let both = parse("conn_tz=Asia%2FShanghai&tz=America/New_York").unwrap();
        assert_eq!((both.shown_zone, both.session_zone), (Some(shanghai.clone()), Some(shanghai.clone())));
        let shown = parse("tz=Asia/Shanghai").unwrap();
        assert_eq!((shown.shown_zone, shown.session_zone), (Some(shanghai), None));
        assert!(parse("tz=Nowhere/X").is_none());
        assert!(parse("conn_tz=UTC&tz=Nowhere/X").is_none());
    }

    #[test]
    fn values_that_cannot_be_read_are_refused() {
        assert_eq!(parse("req_id=-42").unwrap().request_id, Some(-42));
        assert_eq!(parse("req_id=0").unwrap().request_id, None);
        for query in ["req_id=abc", "req_id=1.5", "req_id=9223372036854775808", "row_with_meta=maybe"] {
            assert!(parse(query).is_none(), "{query}");
        }
        assert!(parse("row_with_meta=T&timing=true&other=1").is_some_and(|parameters| parameters.row_with_meta && parameters.timing));
        assert!(!parse("timing=1").unwrap().timing);
    }
}
