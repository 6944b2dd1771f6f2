//! How instants and days are kept.

use jiff::{Timestamp, civil::Date};
use mainstay_core::time::{epoch_day, from_epoch_day};
use serde::{Deserialize, Deserializer, de::Error as _};
use sqlx::{
    Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

/// An instant: `TIMESTAMPTZ`, or INTEGER microseconds since 1970 on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instant(pub(crate) Timestamp);

/// A calendar day: `DATE`, or INTEGER days since 1970 on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) Date);

/// PostgreSQL counts from 2000-01-01: microseconds and days from 1970 until then.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// PostgreSQL's calendar begins in 4714 BC, jiff's in 9999 BC: what is asked of a time before this
/// one is asked of this one, since nothing that is stored lies before it.
pub(crate) const EARLIEST: Timestamp = Timestamp::constant(-62_135_596_800, 0);
const EARLIEST_DAY: Date = Date::constant(1, 1, 1);

/// The instant of a stored number of microseconds since 1970.
fn instant_of(micros: i64) -> Result<Instant, jiff::Error> {
    // Not Timestamp::from_microsecond: that refuses the last second jiff can tell.
    let seconds = micros.div_euclid(1_000_000);
    let nanoseconds = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1_000;
    Timestamp::new(seconds, nanoseconds).map(Instant)
}
const TIMESTAMPTZ: Oid = Oid(1184);
const DATE: Oid = Oid(1082);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);
const DATE_ARRAY: Oid = Oid(1182);

impl Type<Sqlite> for Instant {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Instant {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.as_microsecond(), buffer)
    }
}

impl<'de> Deserialize<'de> for Instant {
    /// As SQLite keeps it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        instant_of(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'r> Decode<'r, Sqlite> for Instant {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(instant_of(<i64 as Decode<Sqlite>>::decode(value)?)?)
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.max(EARLIEST).as_microsecond();
        Encode::<Postgres>::encode(micros - POSTGRES_EPOCH_MICROS, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(instant_of(micros.saturating_add(POSTGRES_EPOCH_MICROS))?)
    }
}

impl Type<Sqlite> for Day {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Day {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(i64::from(epoch_day(self.0)), buffer)
    }
}

impl<'de> Deserialize<'de> for Day {
    /// As SQLite keeps it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(from_epoch_day(i32::deserialize(deserializer)?)))
    }
}

impl<'r> Decode<'r, Sqlite> for Day {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(from_epoch_day(<i32 as Decode<Sqlite>>::decode(value)?)))
    }
}

impl PgHasArrayType for Day {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(DATE_ARRAY)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Type<Postgres> for Day {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(DATE)
    }
}

impl Encode<'_, Postgres> for Day {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let days = epoch_day(self.0.max(EARLIEST_DAY));
        Encode::<Postgres>::encode(days - POSTGRES_EPOCH_DAYS, buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Day {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let days = <i32 as Decode<Postgres>>::decode(value)?;
        Ok(Self(from_epoch_day(days.saturating_add(POSTGRES_EPOCH_DAYS))))
    }
}
