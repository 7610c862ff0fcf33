//! Settings of the process and of connections.

use std::{
    collections::BTreeMap,
    ffi::{c_char, c_int, c_void},
    net::IpAddr,
};

use embudo_client::Introduction;
use embudo_types::Result;

use crate::{
    abi::ConfigurationResult,
    boundary::{self, code_of, invalid, needed_text, text},
    configuration,
    connection::Connection,
};

/// The longest name of an entry of `taos_set_config`.
const NAME_LIMIT: usize = 256;

/// Sets an option of the process, for connections to come.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_options(option: c_int, arg: *const c_void) -> c_int {
    // SAFETY: a text as the interface says; further arguments of the variadic form are not used by any option.
    code_of(|| unsafe { set_option(option, arg.cast()) })
}

unsafe fn set_option(option: c_int, arg: *const c_char) -> Result<()> {
    match option {
        // Locale and charset: texts are UTF-8 whatever they say. Timers and drivers: there is nothing to choose.
        0 | 1 | 4 | 5 | 6 => Ok(()),
        // SAFETY: as the caller says.
        2 => configuration::set_timezone(unsafe { needed_text(arg, "time zone") }?),
        3 => {
            // SAFETY: as the caller says.
            configuration::set_folder(unsafe { needed_text(arg, "folder") }?);
            Ok(())
        }
        _ => Err(invalid("an unknown option")),
    }
}

/// Sets an option of a connection; without a value its default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_options_connection(taos: *mut c_void, option: c_int, arg: *const c_void) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: NULL or a text as the interface says.
        let value = unsafe { text(arg.cast()) }?.filter(|value| !value.is_empty());
        match option {
            // All options at once.
            -1 => {
                connection.driver().set_timezone(&configuration::timezone())?;
                connection.introduce(|introduction| *introduction = Introduction::default())
            }
            1 => match value {
                Some(zone) => connection.driver().set_timezone(zone),
                None => connection.driver().set_timezone(&configuration::timezone()),
            },
            2 => {
                let is_address = value.is_none_or(|address| address.parse::<IpAddr>().is_ok());
                if !is_address {
                    return Err(invalid("no IP address"));
                }
                connection.introduce(|introduction| introduction.address = value.map(str::to_owned))
            }
            3 => connection.introduce(|introduction| introduction.application = value.map(str::to_owned)),
            // Texts are UTF-8, and what a program is made with is on no list.
            0 | 4 => Ok(()),
            _ => Err(invalid("an unknown option")),
        }
    })
}

/// A mode of a connection. There is one, for BI tools, and it changes nothing here.
#[unsafe(no_mangle)]
pub extern "C" fn taos_set_conn_mode(taos: *mut c_void, mode: c_int, _value: c_int) -> c_int {
    code_of(|| {
        Connection::of(taos)?;
        if mode == 0 { Ok(()) } else { Err(invalid("an unknown mode")) }
    })
}

/// Whether heartbeats end with the process; there are none.
#[unsafe(no_mangle)]
pub extern "C" fn taos_set_hb_quit(_quit: i8) {}

/// Entries of the configuration, as a JSON object; they can be given once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_set_config(config: *const c_char) -> ConfigurationResult {
    let told = |code: i32, text: &str| {
        let mut message = [0; 1024];
        let count = text.len().min(message.len() - 1);
        message[..count].copy_from_slice(&text.as_bytes()[..count]);
        ConfigurationResult { code, message }
    };
    let outcome = boundary::caught(|| {
        // SAFETY: a text as the interface says.
        let config = unsafe { needed_text(config, "configuration") }?;
        let set = |entries| if configuration::set_entries(entries) { (0, String::new()) } else { (-5, "configuration can only set once".into()) };
        Ok(entries(config).map_or_else(|refused| refused, set))
    });
    let (code, text) = outcome.unwrap_or_else(|error| (-2, error.message().to_owned()));
    told(code, &text)
}

fn entries(config: &str) -> std::result::Result<BTreeMap<String, String>, (i32, String)> {
    let json: serde_json::Value = serde_json::from_str(config).map_err(|error| (-4, format!("parse json error: {error}")))?;
    let object = json.as_object().ok_or_else(|| (-3, "json content is invalid, must be object".to_owned()))?;
    let mut entries = BTreeMap::new();
    for (name, value) in object {
        if name.len() >= NAME_LIMIT {
            return Err((-6, format!("the name of an entry has {} bytes", name.len())));
        }
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => return Err((-1, format!("the value of {name} is neither a text nor a number"))),
        };
        entries.insert(name.clone(), value);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_json() {
        assert_eq!(entries(r#"{"debugFlag":"131","serverPort":6030}"#).unwrap().len(), 2);
        for (config, code) in [("{", -4), ("[]", -3), (r#"{"a":{}}"#, -1)] {
            assert_eq!(entries(config).unwrap_err().0, code, "{config}");
        }
    }

    #[test]
    fn unknown_options_are_refused() {
        // SAFETY: texts of this function.
        unsafe {
            assert_eq!(taos_options(1, c"UTF-8".as_ptr().cast()), 0);
            assert_ne!(taos_options(2, c"Nowhere/City".as_ptr().cast()), 0);
            assert_ne!(taos_options(99, c"".as_ptr().cast()), 0);
            assert_ne!(taos_options_connection(std::ptr::null_mut(), 1, std::ptr::null()), 0);
        }
    }
}
