//! A device with passkeys, as a browser presents it to a page. It creates keys and signs, by the WebAuthn
//! specification.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;

/// One passkey.
pub(super) struct Device {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    /// The page's handle for its person.
    handle: String,
    /// The origin of the page, as the browser states it.
    pub origin: String,
    /// Whether it verifies its user.
    pub verifies: bool,
    pub counter: u32,
}

impl Device {
    /// Creates a passkey for `options`, with the answer for the page.
    pub(super) fn make(options: &Value, origin: &str) -> (Self, String) {
        let system = SystemRandom::new();
        let mut id = vec![0; 16];
        system.fill(&mut id).expect("random numbers");
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &system).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &system).expect("a key");
        let options = &options["publicKey"];
        let device = Self {
            pair,
            id,
            handle: string(&options["user"]["id"]),
            origin: origin.to_owned(),
            verifies: true,
            counter: 0,
        };
        let client = device.client_data("webauthn.create", options);
        let object = [
            &[0xa3][..],
            &text("fmt"),
            &text("none"),
            &text("attStmt"),
            &[0xa0],
            &text("authData"),
            &bytes(&device.data(string(&options["rp"]["id"]), true)),
        ]
        .concat();
        let response = json!({
            "clientDataJSON": encode(&client), "attestationObject": encode(&object),
            "transports": ["internal"],
        });
        let answer = device.answer(response);
        (device, answer)
    }

    /// Signs the challenge in `options`.
    pub(super) fn sign(&self, options: &Value) -> String {
        let options = &options["publicKey"];
        let client = self.client_data("webauthn.get", options);
        let data = self.data(string(&options["rpId"]), false);
        let signed = [data.as_slice(), sha256(&client).as_slice()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed);
        let response = json!({
            "clientDataJSON": encode(&client), "authenticatorData": encode(&data),
            "signature": encode(signature.expect("a signature").as_ref()), "userHandle": self.handle,
        });
        self.answer(response)
    }

    fn answer(&self, response: Value) -> String {
        let id = encode(&self.id);
        let answer = json!({"id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {}});
        answer.to_string()
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false});
        data.to_string().into_bytes()
    }

    fn data(&self, site: String, is_new: bool) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let new = if is_new { HAS_KEY } else { 0 };
        let mut data = sha256(site.as_bytes());
        data.push(PRESENT | verified | new);
        data.extend(self.counter.to_be_bytes());
        if is_new {
            data.extend([0; 16]);
            data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
            data.extend(&self.id);
            // An ES256 key: its kind, algorithm, curve, and point.
            let point = &self.pair.public_key().as_ref()[1..];
            data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]);
            data.extend(bytes(&point[..32]));
            data.push(0x22);
            data.extend(bytes(&point[32..]));
        }
        data
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn string(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// In CBOR, as far as needed here.
fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    assert!(length < 24);
    [&[0x60 | length], text.as_bytes()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short");
    [&[0x58, length], bytes].concat()
}
