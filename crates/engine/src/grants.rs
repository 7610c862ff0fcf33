//! GRANT and REVOKE: from the tree to a user's rights (spec/sql.md 3.8). What they mean is [`crate::account`]'s.

use embudo_catalog::{RightSet, RightTarget, Table};
use embudo_sql::ast::administration::{Grant, Privilege, PrivilegeLevel, Privileges};
use embudo_sql::ast::expr::Expr;
use embudo_types::{Error, Result, code};

use crate::insert::no_table;
use crate::session::StatementContext;

/// What is given or taken.
enum Subject {
    Rights(RightTarget, RightSet),
    Topic(String),
}

/// GRANT: 0x0359 where the user has it all already.
pub(crate) fn grant(context: &StatementContext<'_>, grant: &Grant) -> Result<()> {
    let subject = subject_of(context, grant)?;
    if let Subject::Rights(target, _) = &subject {
        check_target(context, target, grant.condition.as_ref())?;
    }
    change(context, &grant.user, |rights| {
        let is_new = match subject {
            Subject::Rights(target, granted) => rights.grant(target, granted),
            Subject::Topic(topic) => rights.grant_topic(&topic),
        };
        if is_new { Ok(()) } else { Err(Error::new(code::USER_ALREADY_HAVE_THIS_PRIVILEDGE)) }
    })
}

/// REVOKE; what the user does not have is passed over.
pub(crate) fn revoke(context: &StatementContext<'_>, grant: &Grant) -> Result<()> {
    let subject = subject_of(context, grant)?;
    change(context, &grant.user, |rights| {
        match subject {
            Subject::Rights(target, taken) => rights.revoke(&target, taken),
            Subject::Topic(topic) => rights.revoke_topic(&topic),
        };
        Ok(())
    })
}

/// Root's rights do not change: 0x0356.
fn change(context: &StatementContext<'_>, user: &str, work: impl FnOnce(&mut embudo_catalog::Rights) -> Result<()>) -> Result<()> {
    if context.engine.catalog().user(user)?.superuser {
        return Err(Error::new(code::INVALID_ALTER_OPERATION));
    }
    context.engine.catalog().change_rights(user, work)
}

fn subject_of(context: &StatementContext<'_>, grant: &Grant) -> Result<Subject> {
    let refused = |near: &str| Error::with(code::SYNTAX_ERROR_NEAR, format!("syntax error near \"{near}\""));
    let rights = match &grant.privileges {
        Privileges::All => RightSet::ALL,
        Privileges::List(list) => list.iter().fold(RightSet::NONE, |set, right| set | right_of(*right)),
        Privileges::Subscribe => {
            let PrivilegeLevel::Topic(topic) = &grant.level else { return Err(refused("subscribe")) };
            if grant.condition.is_some() {
                return Err(refused("with"));
            }
            return Ok(Subject::Topic(topic.clone()));
        }
    };
    let condition = grant.condition.as_ref().map(ToString::to_string);
    let target = match &grant.level {
        PrivilegeLevel::Table { database, table } => RightTarget::Table { database: database.clone(), name: table.clone(), condition },
        // A bare name is a table or view of the current database.
        PrivilegeLevel::Topic(name) => RightTarget::Table { database: context.database_name(None)?.into(), name: name.clone(), condition },
        _ if condition.is_some() => return Err(refused("with")),
        PrivilegeLevel::Everything => RightTarget::Everything,
        PrivilegeLevel::Database(name) => RightTarget::Database(name.clone()),
    };
    Ok(Subject::Rights(target, rights))
}

fn right_of(privilege: Privilege) -> RightSet {
    match privilege {
        Privilege::Read => RightSet::READ,
        Privilege::Write => RightSet::WRITE,
        Privilege::Alter => RightSet::ALTER,
    }
}

/// Rights are given on what is there, conditions on tags that a supertable has.
fn check_target(context: &StatementContext<'_>, target: &RightTarget, condition: Option<&Expr>) -> Result<()> {
    let catalog = context.engine.catalog();
    match target {
        RightTarget::Everything => Ok(()),
        RightTarget::Database(name) => catalog.database(name).map(drop),
        RightTarget::Table { database, name, .. } => {
            let database = catalog.database(database)?;
            if database.view(name).is_some() && condition.is_none() {
                return Ok(());
            }
            match (database.table(name).ok_or_else(no_table)?, condition) {
                (_, None) => Ok(()),
                (Table::Super(table), Some(condition)) => {
                    // Binding tells whether it is a condition on tags; of which children it holds does not matter here.
                    embudo_query::children_in_reach(std::slice::from_ref(condition), &table.children(), database.precision(), &context.query_context())
                        .map(drop)
                }
                (_, Some(_)) => Err(Error::new(code::TABLE_IS_NOT_A_SUPER_TABLE)),
            }
        }
    }
}
