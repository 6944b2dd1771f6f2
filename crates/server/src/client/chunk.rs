use jiff::Timestamp;
use mainstay_store::{ClientChunk, Tx};

use crate::{CHUNK, Error, Result};

/// The next chunk of clients after another one: of all that existed before `as_of`, or a single
/// client. Empty at the end. In a write transaction, none of them is deleted before it ends.
///
/// # Errors
/// If there is no client with that id.
pub(crate) async fn next_chunk(
    tx: &mut Tx,
    client: Option<&str>,
    as_of: Timestamp,
    after: Option<&ClientChunk>,
) -> Result<ClientChunk> {
    let Some(external_id) = client else {
        return Ok(tx.client_chunk(after.and_then(ClientChunk::last), as_of, CHUNK).await?);
    };
    if after.is_some() {
        return Ok(ClientChunk::from_selection(Vec::new()));
    }
    let client = tx.find_client(external_id).await?.ok_or_else(|| Error::no_client(external_id))?;
    let mut chunk = ClientChunk::of(&client);
    chunk.clients.retain(|(client, _)| client.created_at < as_of);
    Ok(chunk)
}
