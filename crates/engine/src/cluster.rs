//! Statements on nodes, vgroups and configuration, as a healthy cluster of one node answers them: what one node can do is done or needs no
//! doing, what needs another node is refused.

use embudo_sql::ast::administration::{ClusterStatement, DnodeTarget, NodeRole};
use embudo_types::{Error, Result, code};

use crate::dispatch::unsupported;

/// The one node.
const NODE: i64 = 1;

/// Runs the statement.
pub(crate) fn execute(statement: &ClusterStatement) -> Result<()> {
    match statement {
        // Settings of TDengine's processes have no counterpart; a vgroup has nowhere to go, so that all are balanced.
        ClusterStatement::AlterLocal { .. } | ClusterStatement::AlterCluster { .. } | ClusterStatement::AlterDnode { dnode: None, .. } => Ok(()),
        ClusterStatement::BalanceVgroup | ClusterStatement::BalanceVgroupLeader { .. } => Ok(()),
        ClusterStatement::AlterDnode { dnode: Some(dnode), .. } => this_node(*dnode),
        ClusterStatement::DropDnode { dnode, .. } => {
            let is_this = match dnode {
                DnodeTarget::Id(id) => *id == NODE,
                DnodeTarget::Endpoint(endpoint) => endpoint == crate::system_tables::ENDPOINT,
            };
            Err(Error::new(if is_this { code::CANNOT_DROP_MNODE_WHICH_IS_LEADER } else { code::DNODE_DOES_NOT_EXIST }))
        }
        ClusterStatement::DropNode { role, dnode } => {
            this_node(*dnode)?;
            Err(match role {
                NodeRole::Mnode => Error::new(code::CANNOT_DROP_MNODE_WHICH_IS_LEADER),
                NodeRole::Snode => Error::new(code::SNODE_NOT_THERE),
                NodeRole::Qnode | NodeRole::Bnode | NodeRole::Vnode => unsupported(),
            })
        }
        ClusterStatement::CreateNode { dnode, .. } | ClusterStatement::Restore { dnode, .. } => {
            this_node(*dnode)?;
            Err(unsupported())
        }
        ClusterStatement::CreateDnode { .. }
        | ClusterStatement::CreateEncryptKey(_)
        | ClusterStatement::MergeVgroup(..)
        | ClusterStatement::SplitVgroup(_)
        | ClusterStatement::RedistributeVgroup { .. } => Err(unsupported()),
    }
}

/// 0x0331 for any other.
fn this_node(dnode: i64) -> Result<()> {
    if dnode == NODE { Ok(()) } else { Err(Error::new(code::DNODE_DOES_NOT_EXIST)) }
}
