//! Who asks, and what the session is set to: `conn`, `options_connection`.

use std::sync::{Mutex, PoisonError};

use embudo_engine::Session as EngineSession;
use embudo_types::{Error, Result, Zone, code};
use embudo_wire::websocket::Message;
use serde_json::Value as Json;

use super::{
    reply::{Head, Reply},
    request::Arguments,
    session::Session,
    upgrade::{Introduction, unlisted},
};
use crate::{authentication::Attempt, version::Since};

/// What a session is once its user is known.
pub struct Login {
    /// The session on the engine.
    pub session: EngineSession,
    /// The zone that it had at first.
    zone: Zone,
    /// Who it said to be at first.
    introduced: Introduction,
    /// Who it says to be.
    introduction: Mutex<Introduction>,
}

/// What `conn` asks for.
struct Wanted {
    database: String,
    introduction: Introduction,
    zone: Option<String>,
    mode: Option<i64>,
}

/// `conn`. After a failure the client may try again.
pub async fn connect(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let text = |name: &str| arguments.text(name).map(str::to_owned);
    let wanted = Wanted {
        database: text("db")?,
        introduction: Introduction { application: text("app")?, address: text("ip")? },
        // Servers before take no notice of it.
        zone: Some(text("tz")?).filter(|zone| !zone.is_empty() && session.version().has(Since::CONNECTION_OPTIONS)),
        mode: arguments.integer("mode")?,
    };
    let _one_at_a_time = session.logging_in.lock().await;
    if session.engine().is_ok() {
        return Err(Error::with(code::UNCLASSIFIED, "duplicate connections"));
    }
    let attempt = session.client.attempt(&session.server, arguments, None).await?;
    let login = session.turn(move || log_in(&attempt, wanted)).await.map_err(unlisted)?;
    session.client.own(&login.session, &login.introduced);
    session.log_in(login);
    let mut reply = Reply::new(head);
    if session.version().has(Since::BINARY_QUERY) {
        reply = reply.with("version", session.version().to_string());
    }
    if session.version().has(Since::INSTANCES) && arguments.flag("list_instances")? {
        reply = reply.with("list_instances", session.instances());
    }
    Ok(reply.finish(session.version()))
}

fn log_in(attempt: &Attempt, wanted: Wanted) -> Result<Login> {
    let session = attempt.session()?;
    if let Some(mode) = wanted.mode.filter(|mode| *mode != 0) {
        return Err(Error::with(code::UNCLASSIFIED, format!("unexpected mode:{mode}")));
    }
    let zone = session.zone();
    if let Some(wanted) = &wanted.zone {
        session.set_zone(Zone::named(wanted)?);
    }
    if !wanted.database.is_empty() {
        session.use_database(&wanted.database)?;
    }
    Ok(Login { session, zone, introduction: Mutex::new(wanted.introduction.clone()), introduced: wanted.introduction })
}

/// Numbers of the options of a connection.
mod option {
    pub const ALL: i64 = -1;
    pub const TIME_ZONE: i64 = 1;
    pub const ADDRESS: i64 = 2;
    pub const APPLICATION: i64 = 3;
    /// The others say which encoding the client has, or what it is made with.
    pub const OTHERS: [i64; 2] = [0, 4];
}

/// `options_connection`: each in order, up to the first that cannot be set. A null value resets it.
pub fn set_options(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    for entry in arguments.list("options")? {
        let number = entry.get("option").and_then(Json::as_i64).ok_or_else(|| arguments.refused())?;
        let value = match entry.get("value") {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => Some(text.as_str()),
            Some(_) => return Err(arguments.refused()),
        };
        set_option(session, number, value)?;
    }
    Ok(Reply::new(head).finish(session.version()))
}

fn set_option(session: &Session, number: i64, value: Option<&str>) -> Result<()> {
    let login = session.login()?;
    match (number, value) {
        (option::ALL, None) => {
            login.session.set_zone(login.zone.clone());
            introduce(session, |introduction| introduction.clone_from(&login.introduced))?;
        }
        (option::TIME_ZONE, None) => login.session.set_zone(login.zone.clone()),
        (option::TIME_ZONE, Some(zone)) => login.session.set_zone(Zone::named(zone)?),
        (option::APPLICATION, name) => {
            introduce(session, |introduction| name.unwrap_or(&login.introduced.application).clone_into(&mut introduction.application))?;
        }
        (option::ADDRESS, told) => introduce(session, |introduction| told.unwrap_or(&login.introduced.address).clone_into(&mut introduction.address))?,
        (number, _) if option::OTHERS.contains(&number) => {}
        _ => return Err(Error::with(code::INVALID_PARAMETERS, format!("unknown option {number} of a connection"))),
    }
    Ok(())
}

/// Changes who the client says that it is.
fn introduce(session: &Session, change: impl FnOnce(&mut Introduction)) -> Result<()> {
    let login = session.login()?;
    let mut introduction = login.introduction.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut introduction);
    session.client.own(&login.session, &introduction);
    Ok(())
}
