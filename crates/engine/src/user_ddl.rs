//! CREATE and ALTER USER: limits of names and passwords (spec/sql.md 3.8).

use embudo_catalog::{PasswordCheck, ROOT};
use embudo_sql::ast::administration::{AlterUser, CreateUser};
use embudo_types::{Error, Result, code};

use crate::session::StatementContext;

/// Longest user name in bytes.
const MAX_USER: usize = 23;
/// Longest password in bytes.
const MAX_PASSWORD: usize = 128;

/// CREATE USER.
pub(crate) fn create(context: &StatementContext<'_>, user: &CreateUser) -> Result<()> {
    if user.name.len() > MAX_USER {
        return Err(Error::new(code::NAME_OR_PASSWORD_TOO_LONG));
    }
    check_password(&user.password)?;
    check_hosts(&user.hosts)?;
    let catalog = context.engine.catalog();
    catalog.create_user(&user.name, &user.password, user.enable.unwrap_or(1), user.sysinfo.unwrap_or(1), user.hosts.clone())?;
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
                for host in hosts {
                    if user.hosts.contains(host) {
                        return Err(Error::new(code::HOST_ALREADY_EXIST_IN_IP_WHITE));
                    }
                    user.hosts.push(host.clone());
                }
            }
            AlterUser::DropHosts(hosts) => {
                for host in hosts {
                    let at = user.hosts.iter().position(|known| known == host).ok_or_else(|| Error::new(code::HOST_NOT_EXIST_IN_IP_WHITE))?;
                    user.hosts.remove(at);
                }
            }
        }
        Ok(())
    })
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

/// IPv4 addresses and CIDR ranges.
fn check_hosts(hosts: &[String]) -> Result<()> {
    let is_right = |host: &String| {
        let (address, bits) = host.split_once('/').unwrap_or((host, "32"));
        address.parse::<std::net::Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 32)
    };
    if hosts.iter().all(is_right) { Ok(()) } else { Err(Error::new(code::INVALID_IP_RANGE)) }
}
