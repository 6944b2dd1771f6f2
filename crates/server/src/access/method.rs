use axum::http::Method;
use mainstay_store::{Role, StoreError};

use crate::Result;

/// Refuses a viewer's request that may change something. Called where a member is recognized, by its token
/// or its session, so that no handler has to know the role.
pub(crate) fn check_method(role: Role, method: &Method) -> Result<()> {
    if role.may_write() || method.is_safe() {
        return Ok(());
    }
    Err(StoreError::MayNotWrite.into())
}
