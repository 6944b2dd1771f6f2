//! Ratings on their scales.

use mainstay_core::score::{FeedbackError, FeedbackKind};

#[test]
fn every_rating_of_every_scale_becomes_0_to_100() {
    use FeedbackKind::{Csat, Nps, Percent, Stars, Thumbs};
    let table = [
        (Stars, vec![(1, 0), (2, 25), (3, 50), (4, 75), (5, 100)]),
        (Csat, vec![(1, 0), (2, 25), (3, 50), (4, 75), (5, 100)]),
        (
            Nps,
            vec![
                (0, 0),
                (1, 10),
                (2, 20),
                (3, 30),
                (4, 40),
                (5, 50),
                (6, 60),
                (7, 70),
                (8, 80),
                (9, 90),
                (10, 100),
            ],
        ),
        (Thumbs, vec![(0, 0), (1, 100)]),
        (Percent, vec![(0, 0), (1, 1), (50, 50), (99, 99), (100, 100)]),
    ];
    for (kind, ratings) in table {
        for (rating, expected) in ratings {
            assert_eq!(kind.normalize(rating), Ok(expected), "{rating} {kind}");
        }
    }
}

#[test]
fn a_rating_outside_its_scale_is_refused_with_the_scale() {
    let table = [
        (FeedbackKind::Stars, 0, "0 is outside the stars scale, 1 to 5; send a whole number on it"),
        (FeedbackKind::Stars, 6, "6 is outside the stars scale, 1 to 5; send a whole number on it"),
        (FeedbackKind::Csat, 0, "0 is outside the csat scale, 1 to 5; send a whole number on it"),
        (FeedbackKind::Csat, 6, "6 is outside the csat scale, 1 to 5; send a whole number on it"),
        (FeedbackKind::Nps, -1, "-1 is outside the nps scale, 0 to 10; send a whole number on it"),
        (FeedbackKind::Nps, 11, "11 is outside the nps scale, 0 to 10; send a whole number on it"),
        (
            FeedbackKind::Thumbs,
            -1,
            "-1 is outside the thumbs scale, 0 to 1; send a whole number on it",
        ),
        (
            FeedbackKind::Thumbs,
            2,
            "2 is outside the thumbs scale, 0 to 1; send a whole number on it",
        ),
        (
            FeedbackKind::Percent,
            -1,
            "-1 is outside the percent scale, 0 to 100; send a whole number on it",
        ),
        (
            FeedbackKind::Percent,
            101,
            "101 is outside the percent scale, 0 to 100; send a whole number on it",
        ),
    ];
    for (kind, rating, message) in table {
        let refused = kind.normalize(rating).expect_err("outside the scale");
        assert_eq!((refused.field(), refused.to_string().as_str()), ("rating", message));
    }
    for kind in FeedbackKind::ALL {
        for rating in [i64::MIN, i64::MAX] {
            assert!(matches!(kind.normalize(rating), Err(FeedbackError::Rating { .. })));
        }
    }
}

#[test]
fn a_scale_goes_by_one_name_everywhere() {
    for kind in FeedbackKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(kind.to_string(), kind.as_str());
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(serde_json::from_value::<FeedbackKind>(kind.as_str().into()).unwrap(), kind);
    }
    for unknown in ["", "Stars", "emoji"] {
        let refused = unknown.parse::<FeedbackKind>().expect_err("not a scale");
        assert_eq!(refused.field(), "kind");
        assert_eq!(
            refused.to_string(),
            format!(
                "unknown scale {unknown:?}: use stars (1–5), csat (1–5), nps (0–10), thumbs \
                 (0 or 1) or percent (0–100)"
            )
        );
    }
}
