//! What is known of a profile does not depend on the order in which it was told.

use mainstay_core::engagement::{
    MAX_TRAITS, Profile, ProfileChange, ProfileField, ProfilePatch, ProfileTimes,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::score::at;

fn change(
    second: u8,
    id: &str,
    fields: &[(ProfileField, Option<&str>)],
    traits: Value,
) -> ProfileChange {
    let Value::Object(traits) = traits else { panic!("traits are an object") };
    let fields = fields.iter().map(|(field, value)| (*field, value.map(str::to_owned))).collect();
    ProfileChange {
        client_id: "ada".to_owned(),
        at: at(&format!("2026-05-20T12:00:{second:02}Z")),
        message_id: id.to_owned(),
        patch: ProfilePatch { fields, traits },
    }
}

fn learned<'a>(changes: impl IntoIterator<Item = &'a ProfileChange>) -> (Profile, ProfileTimes) {
    let (mut profile, mut times) = (Profile::default(), ProfileTimes::default());
    for change in changes {
        profile.apply(change, &mut times).expect("within the limits");
    }
    (profile, times)
}

#[test]
fn each_trait_has_its_own_time_and_null_clears() {
    let changes = [
        change(1, "a", &[(ProfileField::Plan, Some("pro"))], json!({"phone": "1", "seats": 1})),
        change(3, "c", &[(ProfileField::Name, Some("X"))], json!({"phone": null})),
        change(2, "b", &[(ProfileField::Plan, Some("free"))], json!({"seats": 2, "phone": "2"})),
    ];
    let (profile, _) = learned(&changes);
    assert_eq!((profile.plan.as_deref(), profile.name.as_deref()), (Some("free"), Some("X")));
    assert_eq!(Value::Object(profile.traits), json!({"seats": 2}));
    let cleared = change(4, "d", &[(ProfileField::Plan, None)], json!({}));
    let (profile, _) = learned([&cleared].into_iter().chain(&changes));
    assert_eq!(profile.plan, None, "what is told late does not come back");
}

#[test]
fn what_is_set_now_counts_whatever_was_told_before() {
    let (mut profile, mut times) =
        learned(&[change(30, "z", &[(ProfileField::Plan, Some("pro"))], json!({"seats": 1}))]);
    let patch = change(0, "", &[(ProfileField::Plan, None)], json!({"seats": null})).patch;
    profile.set(&patch, at("2026-05-20T12:00:00Z"), &mut times).unwrap();
    assert_eq!(profile, Profile::default());
    let later = change(31, "a", &[(ProfileField::Plan, Some("free"))], json!({}));
    profile.apply(&later, &mut times).unwrap();
    assert_eq!(profile.plan.as_deref(), Some("free"), "and what is told later counts again");
}

#[test]
fn more_than_may_be_kept_is_refused_whole() {
    let text = |bytes: usize| "x".repeat(bytes);
    let (mut profile, mut times) = learned(&[
        change(1, "a", &[], json!({"a": text(30_000)})),
        change(2, "b", &[], json!({"b": text(30_000)})),
    ]);
    let before = (profile.clone(), times.clone());
    let more = change(3, "c", &[(ProfileField::Plan, Some("pro"))], json!({"c": text(30_000)}));
    let refused = profile.apply(&more, &mut times).unwrap_err();
    assert_eq!(refused.field, "traits");
    assert!(refused.reason.contains("65536") && refused.reason.contains("null"), "{refused}");
    assert_eq!((&profile, &times), (&before.0, &before.1), "nothing of it is kept");
    profile.apply(&change(4, "d", &[], json!({"a": null})), &mut times).unwrap();
    profile.apply(&more, &mut times).unwrap();

    let many: Value = (0..=MAX_TRAITS).map(|number| (format!("t{number}"), json!(1))).collect();
    let refused = change(5, "e", &[], many).check().unwrap_err();
    assert!(refused.reason.contains("1000"), "{refused}");
}

fn changes() -> impl Strategy<Value = Vec<ProfileChange>> {
    let field = proptest::sample::select(vec![
        ProfileField::Name,
        ProfileField::Email,
        ProfileField::Plan,
        ProfileField::Group,
    ]);
    let value = proptest::sample::select(vec![None, Some("a"), Some("b")]);
    let name = proptest::sample::select(vec!["x", "y"]);
    let traits =
        vec((name, proptest::sample::select(vec![json!(null), json!(1), json!("b")])), 0..3);
    let one =
        (0_u8..4, proptest::sample::select(vec!["", "m", "n"]), vec((field, value), 0..3), traits)
            .prop_map(|(second, id, fields, traits)| {
                let traits: serde_json::Map<String, Value> =
                    traits.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                change(second, id, &fields, Value::Object(traits))
            });
    vec(one, 0..8)
}

proptest! {
    #[test]
    fn any_order_and_repetition_gives_the_same_profile(
        changes in changes(),
        order in any::<proptest::sample::Index>(),
        split in any::<proptest::sample::Index>(),
    ) {
        let expected = learned(&changes);
        let mut shuffled = changes.clone();
        // Every permutation is made of rotations and reversals of its parts.
        let place = if changes.is_empty() { 0 } else { order.index(changes.len()) };
        shuffled.rotate_left(place);
        shuffled[..place].reverse();
        shuffled.extend(changes.iter().take(2).cloned());
        prop_assert_eq!(&learned(&shuffled), &expected);

        // Two ids that turn out to be one client are what one would have been.
        let cut = split.index(changes.len() + 1);
        let (mut profile, mut times) = learned(&changes[..cut]);
        let (other, other_times) = learned(&changes[cut..]);
        profile.merge(&mut times, &other, &other_times);
        prop_assert_eq!(&(profile, times), &expected);
    }
}
