//! The cases of the official SDKs' own test suites, and the corners where those differ.

use super::*;

const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const NOW: i64 = 1_700_000_000;
const VECTOR: &str = "0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd";

fn secret(text: &str) -> WebhookSecret {
    WebhookSecret::new(text).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(vec![secret("whsec_test_secret")], DEFAULT_TOLERANCE).unwrap()
}

fn verify(header: &str) -> Result<Verified, SignatureError> {
    verifier().verify(header.as_bytes(), BODY, NOW)
}

fn signed_at(timestamp: i64) -> String {
    sign(&secret("whsec_test_secret"), timestamp, BODY)
}

/// A header whose `t` is this text, correctly signed as such: only the text itself can be the reason of a refusal.
fn signed_with_timestamp_text(text: &str) -> String {
    format!(
        "t={text},v1={}",
        hex::encode(tag(&secret("whsec_test_secret"), text, BODY))
    )
}

#[test]
fn our_signature_is_the_one_the_sdks_make() {
    assert_eq!(signed_at(NOW), format!("t={NOW},v1={VECTOR}"));
    assert_eq!(
        verify(&signed_at(NOW)),
        Ok(Verified {
            timestamp: NOW,
            secret: 0
        })
    );
}

#[test]
fn the_key_is_the_whole_secret_with_its_prefix() {
    let without_prefix = sign(&secret("test_secret"), NOW, BODY);
    assert_eq!(verify(&without_prefix), Err(SignatureError::NoMatch));
}

#[test]
fn a_missing_header_is_told_from_a_malformed_one() {
    assert_eq!(verify(""), Err(SignatureError::Missing));
    assert_eq!(verify("  "), Err(SignatureError::Missing));
    for header in [
        "i'm not even a real signature header",
        "t",
        "t=",
        "=",
        ",",
        "t=1,",
        "v1=00",
        "t=abc,v1=00",
    ] {
        assert_eq!(verify(header), Err(SignatureError::Malformed), "{header:?}");
    }
    assert_eq!(
        verifier().verify(b"t=\xff", BODY, NOW),
        Err(SignatureError::Malformed)
    );
}

#[test]
fn a_part_with_a_second_equals_sign_is_malformed() {
    assert_eq!(
        verify(&format!("{},v1=a=b", signed_at(NOW))),
        Err(SignatureError::Malformed)
    );
    assert_eq!(
        verify(&format!("{},v0", signed_at(NOW))),
        Err(SignatureError::Malformed)
    );
}

#[test]
fn another_scheme_alone_is_no_signature() {
    assert_eq!(
        verify(&format!("t={NOW},v0={VECTOR}")),
        Err(SignatureError::NoSignature)
    );
    assert_eq!(verify(&format!("t={NOW}")), Err(SignatureError::NoSignature));
    assert!(
        verify(&format!("{},v0=bad,v2=whatever", signed_at(NOW))).is_ok(),
        "unknown schemes do not harm"
    );
}

#[test]
fn any_of_several_signatures_may_match_wherever_it_stands() {
    let bad = "0".repeat(64);
    assert!(verify(&format!("t={NOW},v1={bad},v1={VECTOR}")).is_ok());
    assert!(verify(&format!("t={NOW},v1={VECTOR},v1={bad}")).is_ok());
    assert!(
        verify(&format!("v1={VECTOR},t={NOW}")).is_ok(),
        "the order of parts is free"
    );
    assert_eq!(
        verify(&format!("t={NOW},v1={bad},v1={bad}")),
        Err(SignatureError::NoMatch)
    );
}

#[test]
fn a_signature_that_is_no_hex_is_skipped() {
    assert!(verify(&format!("t={NOW},v1=not-hex,v1={VECTOR}")).is_ok());
    assert_eq!(
        verify(&format!("t={NOW},v1=not-hex")),
        Err(SignatureError::NoMatch)
    );
    assert_eq!(
        verify(&format!("t={NOW},v1={}", &VECTOR[..62])),
        Err(SignatureError::NoMatch),
        "a prefix of it"
    );
    assert_eq!(
        verify(&format!("t={NOW},v1={VECTOR}00")),
        Err(SignatureError::NoMatch)
    );
}

#[test]
fn upper_case_hex_is_refused() {
    assert_eq!(
        verify(&format!("t={NOW},v1={}", VECTOR.to_uppercase())),
        Err(SignatureError::NoMatch)
    );
}

#[test]
fn blanks_after_commas_make_another_scheme() {
    assert_eq!(
        verify(&format!("t={NOW}, v1={VECTOR}")),
        Err(SignatureError::NoSignature)
    );
}

#[test]
fn two_timestamps_are_refused_even_if_equal() {
    assert_eq!(
        verify(&format!("t={NOW},t={NOW},v1={VECTOR}")),
        Err(SignatureError::DuplicateTimestamp)
    );
    assert_eq!(
        verify(&format!("t=1,v1={VECTOR},t={NOW}")),
        Err(SignatureError::DuplicateTimestamp)
    );
}

#[test]
fn a_timestamp_is_plain_digits() {
    for text in [
        "+1700000000",
        "-1700000000",
        " 1700000000",
        "1700000000 ",
        "1_700_000_000",
        "1.7e9",
        "0x10",
        "١٧",
    ] {
        assert_eq!(
            verify(&signed_with_timestamp_text(text)),
            Err(SignatureError::Malformed),
            "{text:?}"
        );
    }
    let beyond_64_bits = signed_with_timestamp_text("99999999999999999999");
    assert_eq!(verify(&beyond_64_bits), Err(SignatureError::Malformed));
    assert!(
        verify(&signed_with_timestamp_text("01700000000")).is_ok(),
        "signed is the text, not the number"
    );
}

#[test]
fn old_signatures_are_refused_past_the_tolerance_and_future_ones_taken() {
    assert!(verify(&signed_at(NOW - 300)).is_ok());
    assert_eq!(verify(&signed_at(NOW - 301)), Err(SignatureError::TooOld));
    assert!(verify(&signed_at(NOW + 86_400)).is_ok());
    assert!(
        verify(&signed_with_timestamp_text(&i64::MAX.to_string())).is_ok(),
        "no overflow"
    );
    assert_eq!(verify(&signed_at(0)), Err(SignatureError::TooOld));
}

#[test]
fn tolerance_zero_is_strict_and_not_off() {
    let strict = Verifier::new(vec![secret("whsec_test_secret")], Duration::ZERO).unwrap();
    assert!(strict.verify(signed_at(NOW).as_bytes(), BODY, NOW).is_ok());
    assert_eq!(
        strict.verify(signed_at(NOW - 1).as_bytes(), BODY, NOW),
        Err(SignatureError::TooOld)
    );
}

#[test]
fn a_bad_signature_is_told_before_a_bad_time() {
    assert_eq!(
        verify(&format!("t=1,v1={}", "0".repeat(64))),
        Err(SignatureError::NoMatch)
    );
}

#[test]
fn every_byte_of_the_body_and_the_timestamp_counts() {
    let header = signed_at(NOW);
    for index in 0..BODY.len() {
        let mut changed = BODY.to_vec();
        changed[index] ^= 1;
        assert_eq!(
            verifier().verify(header.as_bytes(), &changed, NOW),
            Err(SignatureError::NoMatch),
            "byte {index}"
        );
    }
    for changed in [
        &b"\xef\xbb\xbf{\"id\":\"evt_1\",\"object\":\"event\"}"[..],
        b"{\"id\":\"evt_1\",\"object\":\"event\"}\r\n",
        b"",
    ] {
        assert_eq!(
            verifier().verify(header.as_bytes(), changed, NOW),
            Err(SignatureError::NoMatch)
        );
    }
    let moved = header.replace("t=1700000000", "t=1700000001");
    assert_eq!(
        verify(&moved),
        Err(SignatureError::NoMatch),
        "a replay cannot be made younger"
    );
}

#[test]
fn bodies_that_are_not_utf8_verify_as_bytes() {
    let body = b"\xff\xfe\x00";
    let header = sign(&secret("whsec_test_secret"), NOW, body);
    assert!(verifier().verify(header.as_bytes(), body, NOW).is_ok());
}

#[test]
fn any_secret_of_the_endpoint_may_have_signed() {
    let secrets = vec![secret("whsec_new"), secret("whsec_old")];
    let verifier = Verifier::new(secrets, DEFAULT_TOLERANCE).unwrap();
    let by = |text: &str| {
        verifier
            .verify(sign(&secret(text), NOW, BODY).as_bytes(), BODY, NOW)
            .map(|it| it.secret)
    };
    assert_eq!(by("whsec_new"), Ok(0));
    assert_eq!(by("whsec_old"), Ok(1));
    assert_eq!(by("whsec_other"), Err(SignatureError::NoMatch));
}

#[test]
fn a_secret_cannot_be_blank_and_an_endpoint_not_without_one() {
    for text in [
        "",
        " ",
        "\t\n",
        "\u{a0}",
        "\u{200b}",
        "\u{feff}",
        "\0",
        "\u{3000} \u{2060}",
        "whsec_",
        "whsec_ \n",
    ] {
        assert_eq!(WebhookSecret::new(text), Err(SecretError::Blank), "{text:?}");
    }
    for text in ["whsec_1\n", " whsec_1"] {
        assert_eq!(
            WebhookSecret::new(text),
            Err(SecretError::SurroundingWhitespace),
            "{text:?}"
        );
    }
    assert_eq!(
        Verifier::new(Vec::new(), DEFAULT_TOLERANCE).unwrap_err(),
        NoSecrets
    );
}

#[test]
fn a_secret_is_not_shown() {
    let shown = format!("{:?}", verifier());
    assert!(!shown.contains("test_secret"), "{shown}");
}

#[test]
fn a_header_of_many_signatures_is_bounded_work() {
    let many = format!(
        "t={NOW}{},v1={VECTOR}",
        format!(",v1={}", "0".repeat(64)).repeat(SIGNATURES_MAX)
    );
    assert_eq!(
        verify(&many),
        Err(SignatureError::NoMatch),
        "what stands beyond the bound is not looked at"
    );
}
