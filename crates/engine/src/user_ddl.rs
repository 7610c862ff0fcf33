//! Users, their second factors and their tokens: limits of names and texts, and who may do what (spec/sql.md 3.8, spec/protocols.md 3.12).
//!
//! A connection ends when its user is dropped or may not come from its address any more, and when its token is dropped or disabled.

use embudo_catalog::{HostRange, NewUser, PasswordCheck, ROOT, Token, TotpSecret};
use embudo_sql::ast::administration::{AlterUser, CreateToken, CreateUser, TokenLimit, TokenOptions};
use embudo_types::{DataType, Error, Result, ResultSet, code};

use crate::row_set::{RowSet, text};
use crate::session::StatementContext;

/// Longest user name in bytes.
const MAX_USER: usize = 23;
/// Longest password in bytes.
const MAX_PASSWORD: usize = 128;
/// Longest PROVIDER in bytes.
const MAX_PROVIDER: usize = 63;
/// Longest `EXTRA_INFO` in bytes.
const MAX_EXTRA: usize = 1_023;
/// Characters of a token's text.
const TOKEN_TEXT: u32 = 63;
/// Characters of a second factor's secret.
const SECRET_TEXT: u32 = 52;

/// CREATE USER.
pub(crate) fn create(context: &StatementContext<'_>, user: &CreateUser) -> Result<()> {
    if user.name.len() > MAX_USER {
        return Err(Error::new(code::NAME_OR_PASSWORD_TOO_LONG));
    }
    check_password(&user.password)?;
    check_hosts(&user.hosts)?;
    let catalog = context.engine.catalog();
    catalog.create_user(NewUser {
        name: &user.name,
        password: &user.password,
        enabled: user.enable.unwrap_or(1),
        sysinfo: user.sysinfo.unwrap_or(1),
        hosts: &user.hosts,
        totp: user.totp_seed.as_deref().and_then(secret_of_seed),
        token_limit: user.token_limit.and_then(number_of),
    })?;
    match user.create_databases {
        None | Some(0) => Ok(()),
        Some(_) => catalog.change_rights(&user.name, |rights| {
            rights.create_databases = true;
            Ok(())
        }),
    }
}

/// ALTER USER.
pub(crate) fn alter(context: &StatementContext<'_>, name: &str, change: &AlterUser) -> Result<()> {
    if let AlterUser::CreateDatabases(value) = change {
        return context.engine.catalog().change_rights(name, |rights| {
            rights.create_databases = *value != 0;
            Ok(())
        });
    }
    if name == ROOT && matches!(change, AlterUser::Enable(0)) {
        return Err(Error::new(code::INVALID_ALTER_OPERATION));
    }
    let password = match change {
        AlterUser::Password(password) => {
            check_password(password)?;
            Some(PasswordCheck::new(password)?)
        }
        _ => None,
    };
    context.engine.catalog().alter_user(name, |user| {
        match change {
            AlterUser::Password(_) => user.password = password.unwrap_or(PasswordCheck::Default),
            AlterUser::CreateDatabases(_) => {}
            AlterUser::Enable(value) => user.enabled = *value,
            AlterUser::Sysinfo(value) => user.sysinfo = *value,
            AlterUser::AddHosts(hosts) => {
                check_hosts(hosts)?;
                user.add_hosts(hosts)?;
            }
            AlterUser::DropHosts(hosts) => user.drop_hosts(hosts)?,
            AlterUser::TotpSeed(seed) => user.totp = secret_of_seed(seed),
            AlterUser::TokenLimit(limit) => user.token_limit = number_of(*limit).unwrap_or(embudo_catalog::TOKENS),
        }
        Ok(())
    })?;
    if matches!(change, AlterUser::AddHosts(_) | AlterUser::DropHosts(_)) {
        let user = context.engine.catalog().user(name)?;
        context.engine.activity().disconnect(|session| session.user == name && !session.origin.ip().is_none_or(|address| user.may_come_from(address)));
    }
    Ok(())
}

/// DROP USER.
pub(crate) fn drop_user(context: &StatementContext<'_>, name: &str) -> Result<()> {
    context.engine.catalog().drop_user(name)?;
    context.engine.activity().disconnect(|session| session.user == name);
    Ok(())
}

/// CREATE `TOTP_SECRET` FOR USER: one row with the new secret, in place of one that there was.
pub(crate) fn create_secret(context: &StatementContext<'_>, name: &str) -> Result<ResultSet> {
    let secret = TotpSecret::random();
    let shown = secret.text();
    context.engine.catalog().alter_user(name, |user| {
        user.totp = Some(secret);
        Ok(())
    })?;
    one_cell("totp_secret", SECRET_TEXT, Some(shown))
}

/// DROP `TOTP_SECRET` FROM USER: 0x012A where there is none.
pub(crate) fn drop_secret(context: &StatementContext<'_>, name: &str) -> Result<()> {
    context.engine.catalog().alter_user(name, |user| match user.totp.take() {
        Some(_) => Ok(()),
        None => Err(Error::with(code::NOT_FOUND, "TOTP secret does not exist")),
    })
}

/// CREATE TOKEN: one row with its text, or none where IF NOT EXISTS finds it made.
pub(crate) fn create_token(context: &StatementContext<'_>, create: &CreateToken) -> Result<ResultSet> {
    check_token(&create.options)?;
    let catalog = context.engine.catalog();
    let is_made = create.if_not_exists && catalog.token(&create.name).is_some();
    let shown = if is_made { None } else { Some(catalog.create_token(&create.name, &create.user, |token, now| set_token(token, &create.options, now))?) };
    one_cell("token", TOKEN_TEXT, shown)
}

/// ALTER TOKEN.
pub(crate) fn alter_token(context: &StatementContext<'_>, name: &str, options: &TokenOptions) -> Result<()> {
    check_token(options)?;
    context.engine.catalog().alter_token(name, |token, now| set_token(token, options, now))?;
    disconnect_without_token(context, name);
    Ok(())
}

/// DROP TOKEN.
pub(crate) fn drop_token(context: &StatementContext<'_>, name: &str, if_exists: bool) -> Result<()> {
    match context.engine.catalog().drop_token(name) {
        Err(error) if if_exists && error.code() == code::NOT_FOUND => return Ok(()),
        outcome => outcome?,
    }
    disconnect_without_token(context, name);
    Ok(())
}

/// Ends connections that came with a token of that name which lets nobody in any more.
fn disconnect_without_token(context: &StatementContext<'_>, name: &str) {
    let catalog = context.engine.catalog();
    context.engine.activity().disconnect(|session| session.token.as_ref().is_some_and(|token| &*token.name == name && catalog.check_token(token).is_err()));
}

fn set_token(token: &mut Token, options: &TokenOptions, now: i64) {
    if let Some(enable) = options.enable {
        token.enabled = enable != 0;
    }
    if let Some(days) = options.ttl {
        token.expire_in_days(days, now);
    }
    if let Some(provider) = &options.provider {
        token.provider.clone_from(provider);
    }
    if let Some(extra) = &options.extra {
        token.extra.clone_from(extra);
    }
}

fn check_token(options: &TokenOptions) -> Result<()> {
    let is_longer = |text: &Option<String>, longest: usize| text.as_ref().is_some_and(|text| text.len() > longest);
    if is_longer(&options.provider, MAX_PROVIDER) {
        return Err(Error::with(code::INVALID_PARAMETERS, "PROVIDER is too long"));
    }
    if is_longer(&options.extra, MAX_EXTRA) {
        return Err(Error::with(code::INVALID_PARAMETERS, "EXTRA_INFO is too long"));
    }
    if options.enable.is_some_and(|enable| enable > 1) { Err(Error::with(code::INVALID_PARAMETERS, "ENABLE is 0 or 1")) } else { Ok(()) }
}

/// A result of one column with a text, or without a row.
fn one_cell(name: &str, length: u32, value: Option<String>) -> Result<ResultSet> {
    let mut rows = RowSet::new(&[(name, DataType::Varchar(length))]);
    if let Some(value) = value {
        rows.push(vec![text(value)]);
    }
    rows.finish()
}

/// An empty seed stands for no second factor.
fn secret_of_seed(seed: &str) -> Option<TotpSecret> {
    (!seed.is_empty()).then(|| TotpSecret::new(embudo_expr::functions::totp_secret(seed.as_bytes())))
}

/// `None` for the number that nothing is said about.
fn number_of(limit: TokenLimit) -> Option<i64> {
    match limit {
        TokenLimit::Default => None,
        TokenLimit::Unlimited => Some(-1),
        TokenLimit::Number(number) => Some(number),
    }
}

fn check_password(password: &str) -> Result<()> {
    if password.is_empty() {
        return Err(Error::new(code::PASSWORD_CAN_NOT_BE_EMPTY));
    }
    if password.len() > MAX_PASSWORD {
        return Err(Error::new(code::NAME_OR_PASSWORD_TOO_LONG));
    }
    if password.contains([' ', '\'', '"', '`', '\\']) {
        return Err(Error::new(code::INVALID_PASSWORD_2648));
    }
    Ok(())
}

/// Addresses and CIDR ranges.
fn check_hosts(hosts: &[String]) -> Result<()> {
    if hosts.iter().all(|host| host.parse::<HostRange>().is_ok()) { Ok(()) } else { Err(Error::new(code::INVALID_IP_RANGE)) }
}
