//! The data of server-sent events, each as one line.

/// Most bytes of an answer, or of one event: a server's answers are far smaller.
pub(super) const LARGEST: usize = 64 << 20;

/// The incomplete end of a stream so far.
#[derive(Default)]
pub(super) struct SseLines {
    buffer: Vec<u8>,
    data: Vec<String>,
    /// Bytes of the event so far.
    size: usize,
}

impl SseLines {
    /// Whether an event is larger than is kept. Then its data is incomplete.
    pub(super) fn is_too_large(&self) -> bool {
        self.size > LARGEST
    }

    /// The data of the events that this part completes.
    pub(super) fn feed(&mut self, part: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for byte in part {
            self.size += 1;
            if self.is_too_large() {
                break;
            }
            if *byte != b'\n' {
                self.buffer.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.buffer);
            let line = String::from_utf8_lossy(&line);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                // Several data lines are one text with line breaks, which in JSON are white space.
                let event = std::mem::take(&mut self.data).join(" ");
                self.size = 0;
                if !event.trim().is_empty() {
                    events.push(event);
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data
                    .push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let stream = ": ping\n\ndata: \nid: 1\n\nevent: message\ndata: {\"a\":\"Zoë\"}\n\r\ndata:{\r\ndata: }\r\n\r\ndata: cut";
        for size in 1..stream.len() {
            let mut lines = SseLines::default();
            let found: Vec<String> = stream
                .as_bytes()
                .chunks(size)
                .flat_map(|part| lines.feed(part))
                .collect();
            assert_eq!(found, ["{\"a\":\"Zoë\"}", "{ }"], "in parts of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_not_kept() {
        let mut lines = SseLines::default();
        let part = b"data: x\n".repeat(1 << 17);
        for _ in 0..100 {
            assert_eq!(lines.feed(&part), Vec::<String>::new());
        }
        assert!(lines.is_too_large());
        assert!(lines.data.len() <= LARGEST / 8);
        // Many small events are none.
        let mut lines = SseLines::default();
        let part = b"data: x\n\n".repeat(1 << 17);
        for _ in 0..100 {
            assert_eq!(lines.feed(&part).len(), 1 << 17);
        }
        assert!(!lines.is_too_large());
    }
}
