//! What becomes of what was typed.

use offgate_core::operator::Role;
use offgate_core::parameters::Clock as _;

use crate::house::House;

#[tokio::test]
async fn bad_input_is_told_at_its_field_kept_and_changes_nothing() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    let before = house.store.read().head().expect("a head");
    let long = "x".repeat(10_000);
    let cases = [
        (format!("first_name={long}&last_name=Kept&method=none"), ">First name: At most 100 characters; this has 10000."),
        ("first_name=A%00B&last_name=Kept&method=none".to_owned(), "U+0000"),
        ("first_name=A%E2%80%AEB&last_name=Kept&method=none".to_owned(), "U+202E"),
        ("first_name=&last_name=Kept&method=none".to_owned(), ">First name: Enter something here."),
        ("first_name=A&last_name=Kept&method=pin&pin=12".to_owned(), "A PIN has 4 to 8 digits."),
        ("first_name=A&last_name=Kept&method=pin&pin=1234".to_owned(), "Choose another PIN."),
        (
            "first_name=A&last_name=Kept&method=none&access_starts=2027-05-02T08%3A00&access_ends=2027-05-01".to_owned(),
            ">Access ends: Access must end after it starts.",
        ),
        ("first_name=A&last_name=Kept&method=none&access_ends=yesterday".to_owned(), "access_ends-problem"),
        ("first_name=A&last_name=Kept&method=magic".to_owned(), "Choose one of these."),
    ];
    for (form, words) in cases {
        let answer = house.post("/users/new", &cookie, &form).await;
        assert_eq!(answer.status(), 422, "{words}");
        assert!(answer.says(words), "{words}: {}", answer.0);
        assert!(
            answer.says("value=\"Kept\""),
            "what was typed stays: {words}"
        );
    }
    let count = house
        .store
        .read()
        .user_counts(None, house.clock.now())
        .expect("counts");
    assert_eq!(count.all, 0);
    // A refused PIN is noted in the log, because guesses are counted; nothing else is.
    let after = house.store.read().head().expect("a head");
    assert!(after.number() - before.number() <= 1);
    let whole = house
        .post("/users/new", &cookie, &"x".repeat(100_000))
        .await;
    assert_eq!(whole.status(), 400);
    house.running.stop().await;
}

#[tokio::test]
async fn a_stale_form_is_kept_and_explained() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let path = format!("/users/{user}/settings");
    let page = house.get(&path, &cookie).await;
    let revision = page
        .0
        .split("name=\"revision\" value=\"")
        .nth(1)
        .expect("a revision");
    let revision = revision.split('"').next().unwrap_or_default().to_owned();
    let form = |first: &str, revision: &str| {
        format!("first_name={first}&last_name=Person&revision={revision}")
    };
    assert_eq!(
        house
            .post(&path, &cookie, &form("Mine", &revision))
            .await
            .status(),
        303
    );
    let stale = house.post(&path, &cookie, &form("Theirs", &revision)).await;
    assert_eq!(stale.status(), 422);
    assert!(stale.says("Somebody changed this person while you were typing"));
    assert!(stale.says("First name is “Mine” now."), "{}", stale.0);
    assert!(stale.says("value=\"Theirs\""), "what was typed stays");
    // A deactivation is never stopped by a stale form.
    let stop = house
        .post(&format!("/users/{user}/deactivate"), &cookie, "reason=left")
        .await;
    assert_eq!(stop.status(), 303);
    house.running.stop().await;
}

#[tokio::test]
async fn owners_say_where_agents_find_the_server() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    house
        .operator("administrator", Role::Administrator, None)
        .await;
    let (owner, administrator) = (
        house.sign_in("owner").await,
        house.sign_in("administrator").await,
    );
    let path = "/system/addresses";
    let wrong = house
        .post(path, &owner, "addresses=https%3A%2F%2Fdoors.example.org")
        .await;
    assert_eq!(wrong.status(), 422);
    assert!(
        wrong.says("Addresses: A host and a port, as in"),
        "{}",
        wrong.0
    );
    assert!(wrong.says("https://doors.example.org"), "it is kept");
    let form = "addresses=doors.example.org%3A12445%0D%0Astandby.example.org%3A12445%0D%0A";
    let refused = house.post(path, &administrator, form).await;
    assert!(refused.says("This needs the role owner"), "{}", refused.0);
    let done = house.post(path, &owner, form).await;
    assert_eq!(done.header("location"), Some("/system?done=addresses"));
    let system = house.get("/system", &owner).await;
    assert!(system.says("<code>standby.example.org:12445</code>"));
    let log = house.get("/activity", &owner).await;
    assert!(log.says("told agents where to find"), "{}", log.0);
    house.running.stop().await;
}
