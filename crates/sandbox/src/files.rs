//! Files in answers: a playable recording, and the text of a call.

use std::f32::consts::TAU;

/// Samples per second, as in telephony.
const RATE: u16 = 8000;

/// Half a second of the tone A.
const SAMPLES: u16 = RATE / 2;
const PITCH: f32 = 440.0;

const TRANSCRIPT: &str = "00:00:01.000 --> 00:00:04.000
Caller: Hello, I would like to move my appointment to Friday.

00:00:04.500 --> 00:00:07.000
Agent: Of course. Friday at ten?
";

/// A file of this media type.
pub(crate) fn file(media: &str) -> Vec<u8> {
    match media.starts_with("audio/") {
        true => tone(),
        false => TRANSCRIPT.as_bytes().to_vec(),
    }
}

/// A WAV file: PCM, one channel, eight bits a sample.
fn tone() -> Vec<u8> {
    let (rate, samples) = (u32::from(RATE).to_le_bytes(), u32::from(SAMPLES));
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + samples).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate);
    wav.extend_from_slice(&rate);
    wav.extend_from_slice(b"\x01\0\x08\0data");
    wav.extend_from_slice(&samples.to_le_bytes());
    wav.extend((0..SAMPLES).map(|sample| {
        let angle = TAU * PITCH * f32::from(sample) / f32::from(RATE);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 28 and 228"
        )]
        let level = (128.0 + 100.0 * angle.sin()) as u8;
        level
    }));
    wav
}
