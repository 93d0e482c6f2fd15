//! Access tokens that were made or changed by somebody else: none of them opens anything.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use webrana_tests::{
    customer::{Customer, Expect},
    stack::{self, JWT_SECRET},
};

fn encoded(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    signed_by(Algorithm::HS256, header, claims, secret)
}

fn signed_by(algorithm: Algorithm, header: &Value, claims: &Value, secret: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = crypto::sign(text.as_bytes(), &key, algorithm).expect("a signature");
    format!("{text}.{signature}")
}

#[tokio::test]
async fn no_token_but_ours_opens_anything() {
    let stack = stack::shared().await;
    let (customer, other) = (Customer::register(stack).await, Customer::register(stack).await);
    let token = |of: &Customer<'_>| of.session["access_token"].as_str().expect("a token").to_owned();
    let (own, others) = (token(&customer), token(&other));
    let parts: Vec<&str> = own.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let (read_header, read_claims) = (decoded(header), decoded(claims));
    let with = |name: &str, value: Value| {
        let mut claims = read_claims.clone();
        claims[name] = value;
        claims
    };
    let victim = decoded(others.split('.').nth(1).expect("claims"))["sub"].clone();
    let none = json!({ "alg": "none", "typ": "JWT" });
    let unsigned = format!("{}.{claims}.", encoded(&none));
    let forged = [
        ("nothing signed it", unsigned.clone()),
        (
            "nothing signed it, and it says so in other letters",
            unsigned.replacen(&encoded(&none), &encoded(&json!({ "alg": "nOnE" })), 1),
        ),
        ("its signature is left out", format!("{header}.{claims}.")),
        (
            "its signature is of another token",
            format!("{header}.{claims}.{}", others.rsplit('.').next().expect("a signature")),
        ),
        ("it names somebody else", format!("{header}.{}.{signature}", encoded(&with("sub", victim.clone())))),
        (
            "it makes a superadmin",
            format!("{header}.{}.{signature}", encoded(&with("role", json!("superadmin")))),
        ),
        (
            "it lasts longer",
            format!("{header}.{}.{signature}", encoded(&with("exp", json!(4_102_444_800_u64)))),
        ),
        (
            "another secret signed it",
            signed(&read_header, &with("sub", victim.clone()), "another secret of thirty-two bytes and more"),
        ),
        ("an empty secret signed it", signed(&read_header, &read_claims, "")),
        (
            "its algorithm is another",
            signed_by(Algorithm::HS512, &json!({ "alg": "HS512", "typ": "JWT" }), &read_claims, JWT_SECRET),
        ),
        (
            "it brings its own key",
            signed(&json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AA" } }), &read_claims, "\0"),
        ),
        ("its key is a file", signed(&json!({ "alg": "HS256", "kid": "../../dev/null" }), &read_claims, "")),
        ("it is over", signed(&read_header, &with("exp", json!(1_700_000_000)), JWT_SECRET)),
        ("its session is another's", signed(&read_header, &with("sub", victim), JWT_SECRET)),
        ("it is no token", "null".to_owned()),
        ("it is a piece of one", header.to_owned()),
    ];
    for (how, token) in forged {
        let thief = customer.as_user(&token);
        for path in ["/auth/me", "/orders", "/admin/users"] {
            let answer = thief.get(path).await;
            let (status, code) = answer.problem();
            assert_eq!(status, 401, "{how}: {path} {code}");
            assert!(!answer.body.to_string().contains(&token), "{how}: the token is told again");
        }
    }
    customer.get("/auth/me").await.expect(200);
}
