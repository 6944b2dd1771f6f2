use crate::id::ClientId;

/// Sort key of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By need for attention.
    #[default]
    Need,
    /// The lowest score.
    Score,
    /// The deepest fall.
    Change,
    /// The name, or the id of whoever has none.
    Name,
    /// The longest silence.
    LastSeen,
}

/// Sort key of clients and its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub sort: Sort,
    /// The other way round. Whoever has no score stays last all the same.
    pub reversed: bool,
}

/// Where a client stands in an order, also when it has moved or gone since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageCursor {
    /// Sort key.
    pub number: i64,
    /// The same in letters, in the order by name.
    pub text: String,
    /// Which of those that are alike.
    pub client: ClientId,
}
