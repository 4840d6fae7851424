//! What a stranger's page may not do, and what every answer carries.

use std::path::Path;

use offgate_core::operator::Role;

use crate::house::House;

#[tokio::test]
async fn another_site_can_change_nothing() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let user = house.person().await;
    let cookie = house.sign_in("owner").await;
    let before = house.store.read().head().expect("a head");
    let path = format!("/users/{user}/deactivate");
    let stranger = house
        .post_from("https://elsewhere.example", &path, &cookie, "reason=left")
        .await;
    assert_eq!(stranger.status(), 403);
    // And no page changes anything by being looked at.
    for page in ["", "/deactivate", "/settings", "/remove", "/reactivate"] {
        house.get(&format!("/users/{user}{page}"), &cookie).await;
    }
    assert_eq!(house.store.read().head().expect("a head"), before);
    let own = house.post(&path, &cookie, "reason=left").await;
    assert_eq!(own.status(), 303);
    assert!(house.store.read().head().expect("a head") > before);
    house.running.stop().await;
}

#[tokio::test]
async fn every_answer_keeps_strangers_content_out() {
    let house = House::open().await;
    house.operator("owner", Role::Owner, None).await;
    let cookie = house.sign_in("owner").await;
    for page in [
        "/",
        "/users",
        "/users/new",
        "/doors",
        "/activity",
        "/system",
        "/nowhere",
        "/sign-in",
    ] {
        let answer = house.get(page, &cookie).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{page}");
    }
    assert_eq!(house.get("/nowhere", &cookie).await.status(), 404);
    house.running.stop().await;
}

/// No template has anything inline that the policy would refuse.
#[test]
fn templates_have_nothing_inline() {
    fn look(folder: &Path, seen: &mut usize) {
        for entry in std::fs::read_dir(folder).expect("templates") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                look(&path, seen);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for forbidden in [
                " style=",
                " onclick=",
                " onload=",
                " onsubmit=",
                "javascript:",
                "<style",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", path.display());
            }
            for script in text.split("<script").skip(1) {
                assert!(
                    script.contains("src=\"{{ frame.assets }}/"),
                    "{}",
                    path.display()
                );
            }
            *seen += 1;
        }
    }
    let mut seen = 0;
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        &mut seen,
    );
    assert!(seen > 15);
}
