//! Who gets in, and who is out again.

use std::sync::Arc;

use offgate_core::command::Command;
use offgate_core::id::UserId;
use offgate_core::operator::Role;
use offgate_core::records::Records as _;
use offgate_core::user::DeactivationReason;
use offgate_store::sign_in::LinkPurpose;

use crate::house::House;

#[tokio::test]
async fn only_the_right_password_gets_in_and_guessing_is_slow() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let page = house.get("/users", "").await;
    assert_eq!(
        (page.status(), page.header("location")),
        (303, Some("/sign-in?next=%2Fusers"))
    );
    let cookie = house.sign_in("owner").await;
    assert_eq!(house.get("/users", &cookie).await.status(), 200);
    // A cookie that was never given out, and the name that only TLS uses, are nobody's.
    let forged = format!("offgate={}", "a".repeat(64));
    assert_eq!(house.get("/users", &forged).await.status(), 303);
    let renamed = cookie.replace("offgate=", "__Host-offgate=");
    assert_eq!(house.get("/users", &renamed).await.status(), 303);
    let wrong = "email=owner%40example.com&password=wrong+password&next=%2F";
    let nobody = "email=nobody%40example.com&password=wrong+password&next=%2F";
    let words = "do not go together";
    for form in [wrong, nobody] {
        let answer = house.post("/sign-in", "", form).await;
        assert_eq!(answer.status(), 422);
        assert!(answer.says(words), "the same words for both");
    }
    for _ in 0..5 {
        house.post("/sign-in", "", wrong).await;
    }
    let right = "email=owner%40example.com&password=correct+horse+battery&next=%2F";
    let answer = house.post("/sign-in", "", right).await;
    assert_eq!(answer.status(), 429, "even the right one has to wait now");
    house.pass(61);
    assert_eq!(house.post("/sign-in", "", right).await.status(), 303);
    let out = house.post("/sign-out", &cookie, "").await;
    assert_eq!(out.status(), 303);
    assert_eq!(
        house.get("/users", &cookie).await.status(),
        303,
        "signed out"
    );
    house.running.stop().await;
}

#[tokio::test]
async fn many_tries_at_once_count_each() {
    let house = Arc::new(House::open().await);
    house.operator("owner", Role::Owner, None).await;
    let tries = (0..20).map(|_| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let form = "email=owner%40example.com&password=wrong+password&next=%2F";
            house.post("/sign-in", "", form).await.status()
        })
    });
    let mut looked_at = 0;
    for answer in tries.collect::<Vec<_>>() {
        if answer.await.expect("an answer") == 422 {
            looked_at += 1;
        }
    }
    assert!(looked_at <= 6, "{looked_at} passwords were tried at once");
}

#[tokio::test]
async fn a_link_works_once_by_a_click_and_only_while_it_is_good() {
    let house = House::open().await;
    let set_up = house.link(LinkPurpose::SetUp).await;
    let second = house.link(LinkPurpose::SetUp).await;
    assert!(house.get(&set_up, "").await.says("Set up Offgate"));
    assert!(
        house.get(&set_up, "").await.says("Set up Offgate"),
        "looking does not use it up"
    );
    let short = "name=Olga&email=olga%40example.com&password=short";
    let answer = house.post(&set_up, "", short).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.says("value=\"Olga\""), "what was typed stays");
    let good = "name=Olga&email=olga%40example.com&password=correct+horse+battery";
    let (one, other) = tokio::join!(house.post(&set_up, "", good), house.post(&second, "", good));
    let made = [&one, &other].map(|answer| answer.status() == 303);
    assert!(made[0] ^ made[1], "one owner of two links: {made:?}");
    assert_eq!(house.store.read().operators().expect("operators").len(), 1);
    let operator = house.store.read().operators().expect("operators")[0].id;
    let link = house.link(LinkPurpose::SignIn(operator)).await;
    let (one, other) = tokio::join!(house.post(&link, "", ""), house.post(&link, "", ""));
    let used = [&one, &other].map(|answer| answer.status() == 303);
    assert!(used[0] ^ used[1], "used once of two clicks: {used:?}");
    let late = house.link(LinkPurpose::SignIn(operator)).await;
    house.pass(601);
    assert_eq!(house.post(&late, "", "").await.status(), 410);
    house.running.stop().await;
}

#[tokio::test]
async fn an_operator_is_out_with_the_person_they_are() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    house.operator("guard", Role::Guard, Some(user)).await;
    let cookie = house.sign_in("guard").await;
    assert_eq!(house.get("/users", &cookie).await.status(), 200);
    let asked = async |user: UserId| {
        let path = format!("/users/{user}/deactivate");
        house.get(&path, &cookie).await
    };
    let ends = "Their sign-in to the console ends.";
    assert!(asked(user).await.says(ends));
    assert!(!asked(house.person().await).await.says(ends));
    house
        .done(Command::DeactivateUser {
            user,
            reason: DeactivationReason::SecurityConcern,
            note: None,
            employment_ended_at: None,
        })
        .await;
    assert_eq!(house.get("/users", &cookie).await.status(), 303);
    let form = "email=guard%40example.com&password=correct+horse+battery&next=%2F";
    assert_eq!(house.post("/sign-in", "", form).await.status(), 422);
    house.running.stop().await;
}

#[tokio::test]
async fn roles_reach_as_far_as_the_rules_say() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    house.operator("viewer", Role::Viewer, None).await;
    house.operator("guard", Role::Guard, None).await;
    let user = house.person().await;
    let at = |act: &str| format!("/users/{user}/{act}");
    let (viewer, guard) = (house.sign_in("viewer").await, house.sign_in("guard").await);
    let answer = house.post(&at("deactivate"), &viewer, "reason=left").await;
    assert_eq!(answer.status(), 422);
    assert!(answer.says("This needs the role guard"), "{}", answer.0);
    assert_eq!(
        house
            .post(&at("deactivate"), &guard, "reason=left")
            .await
            .status(),
        303
    );
    let answer = house.post(&at("reactivate"), &guard, "").await;
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    let answer = house.post(&at("remove"), &guard, "name=Test+Person").await;
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    let new = "first_name=A&last_name=B&method=none";
    let answer = house.post("/users/new", &guard, new).await;
    assert_eq!(answer.status(), 422);
    assert!(
        answer.says("This needs the role administrator"),
        "{}",
        answer.0
    );
    house.running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_undone_asks_again_who_it_is() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let at = |act: &str| format!("/users/{user}/{act}");
    house.post(&at("deactivate"), &cookie, "reason=left").await;
    house.pass(601);
    let asked = house.get(&at("remove"), &cookie).await;
    let again = format!("/sign-in/again?next=/users/{user}/remove");
    assert_eq!(asked.header("location"), Some(again.as_str()));
    let answer = house.post(&at("remove"), &cookie, "name=Test+Person").await;
    assert_eq!(answer.header("location"), Some(again.as_str()));
    let wrong = house
        .post("/sign-in/again", &cookie, "password=not+this+one&next=%2F")
        .await;
    assert_eq!(wrong.status(), 422);
    let right = house
        .post(
            "/sign-in/again",
            &cookie,
            "password=correct+horse+battery&next=%2Fusers",
        )
        .await;
    assert_eq!(right.status(), 303);
    let answer = house
        .post(&at("remove"), &cookie, "name=Somebody+Else")
        .await;
    assert!(answer.says("This is not their name"), "{}", answer.0);
    let answer = house
        .post(&at("remove"), &cookie, "name=test++PERSON")
        .await;
    assert_eq!(answer.header("location"), Some("/users?done=removed"));
    let gone = house.get(&format!("/users/{user}"), &cookie).await;
    assert_eq!(gone.status(), 410);
    assert!(!gone.says("Test Person"));
    house.running.stop().await;
}
