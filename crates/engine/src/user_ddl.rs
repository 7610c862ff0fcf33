//! CREATE and ALTER USER: limits of names and passwords (spec/sql.md 3.8), and who may do it.

use embudo_catalog::{PasswordCheck, ROOT};
use embudo_sql::ast::administration::{AlterUser, CreateUser};
use embudo_types::{Error, Result, code};

use crate::session::StatementContext;

/// Longest user name in bytes.
const MAX_USER: usize = 23;
/// Longest password in bytes.
const MAX_PASSWORD: usize = 128;

/// Only root changes users.
pub(crate) fn require_root(context: &StatementContext<'_>) -> Result<()> {
    if context.session.user() == ROOT { Ok(()) } else { Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION)) }
}

/// CREATE USER.
pub(crate) fn create(context: &StatementContext<'_>, user: &CreateUser) -> Result<()> {
    if user.name.len() > MAX_USER {
        return Err(Error::new(code::NAME_OR_PASSWORD_TOO_LONG));
    }
    check_password(&user.password)?;
    check_hosts(&user.hosts)?;
    require_root(context)?;
    context.engine.catalog().create_user(&user.name, &user.password, user.sysinfo.unwrap_or(1), user.hosts.clone())
}

/// ALTER USER; everybody may change the own password.
pub(crate) fn alter(context: &StatementContext<'_>, name: &str, change: &AlterUser) -> Result<()> {
    if !(matches!(change, AlterUser::Password(_)) && context.session.user() == name) {
        require_root(context)?;
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
