//! The data of server-sent events, each as one line.

/// Most bytes of an event: a server's answers are far smaller.
const LARGEST: usize = 64 << 20;

/// The incomplete end of a stream so far.
#[derive(Default)]
pub(super) struct SseLines {
    buffer: Vec<u8>,
    data: Vec<String>,
}

impl SseLines {
    /// The data of the events that this part completes.
    pub(super) fn feed(&mut self, part: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for byte in part {
            if *byte != b'\n' {
                if self.buffer.len() < LARGEST {
                    self.buffer.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.buffer);
            let line = String::from_utf8_lossy(&line);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                // Several data lines are one text with line breaks, which in JSON are white space.
                let event = std::mem::take(&mut self.data).join(" ");
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
}
