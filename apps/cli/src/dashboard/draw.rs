//! How the live view is drawn: a function of the state and the size of the terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};

use super::curve::{Curve, columns};
use super::loss;
use super::state::{Message, Model, State};
use crate::{number, progress};

/// Smaller terminals show one model, its losses and the last message.
const FULL: (u16, u16) = (64, 16);
/// What the tallest bar of a course stands for.
const TALLEST: f64 = 1000.0;

const DONE: Style = Style::new().fg(Color::Green);
const DIM: Style = Style::new().fg(Color::DarkGray);
const WARNING: Style = Style::new().fg(Color::Red);

/// Draws all of it.
pub fn draw(frame: &mut Frame, state: &State) {
    let area = frame.area();
    let Some(model) = state.models.get(state.shown()) else { return };
    if area.width >= FULL.0 && area.height >= FULL.1 {
        full(frame, area, state, model);
    } else {
        compact(frame, area, state, model);
    }
}

fn full(frame: &mut Frame, area: Rect, state: &State, model: &Model) {
    let rows = state.models.len().min(usize::from(area.height / 4)) as u16;
    let lines = (area.height / 5).clamp(3, 8);
    let [models, middle, messages, keys] = Layout::vertical([
        Constraint::Length(rows + 3),
        Constraint::Fill(1),
        Constraint::Length(lines),
        Constraint::Length(1),
    ])
    .areas(area);
    let side = (area.width / 3).clamp(24, 40);
    let [losses, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(middle);
    let [rate, speed, memory] = Layout::vertical([Constraint::Fill(1); 3]).areas(side);

    frame.render_widget(table(state, rows.into(), models.width), models);
    loss::draw(frame, losses, model, true);
    course(frame, rate, &rate_text(model), model, &model.learning_rates);
    course(frame, speed, &speed_text(model), model, &model.speeds);
    course(frame, memory, &memory_text(state), model, &model.memory);
    let shown = state.messages.len().saturating_sub(lines.saturating_sub(2).into());
    let messages_shown: Vec<Line> = state.messages.iter().skip(shown).map(message).collect();
    frame
        .render_widget(Paragraph::new(messages_shown).block(Block::bordered().title(" messages ")), messages);
    frame.render_widget(key_line(state), keys);
}

fn compact(frame: &mut Frame, area: Rect, state: &State, model: &Model) {
    let from = |height: u16| Constraint::Length((area.height >= height).into());
    let [progress, losses, numbers, curves, last, keys] =
        Layout::vertical([from(1), from(2), from(4), Constraint::Fill(1), from(10), from(3)]).areas(area);
    let left = model.left().map_or("ended".into(), |left| format!("{} left", number::seconds(left)));
    let text = format!("{} {:.0} %  step {}  {left}", model.name, 100.0 * share(model), model.step);
    frame.render_widget(Line::styled(text, Modifier::BOLD), progress);
    frame.render_widget(Line::raw(progress::losses(model.loss, model.best)), losses);
    let memory = state.memory.map_or(String::new(), |memory| number::bytes(memory.resident.into()));
    let rate = number::digits(model.learning_rate);
    frame.render_widget(Line::raw(format!("rate {rate}  {}  {memory}", speed_text(model))), numbers);
    if curves.height >= 4 && curves.width >= 16 {
        loss::draw(frame, curves, model, false);
    }
    if let Some(newest) = state.messages.back() {
        frame.render_widget(message(newest), last);
    }
    frame.render_widget(key_line(state), keys);
}

/// Of all models, so many around the one that is shown.
fn table(state: &State, rows: usize, width: u16) -> Table<'static> {
    let skipped = (state.shown() + 1).saturating_sub(rows);
    let models = || state.models.iter().enumerate().skip(skipped).take(rows);
    let longest = |text: fn(&Model) -> String, least: usize| {
        models().map(|(_, model)| text(model).chars().count()).max().unwrap_or(0).max(least) as u16
    };
    let name: fn(&Model) -> String = |model| model.name.clone();
    let widths = [2 + longest(name, 5), 0, longest(steps_text, 5), 10, 10, 9, 10];
    let taken = widths.iter().sum::<u16>() + widths.len() as u16 + 1;
    let bar = width.saturating_sub(taken);
    let row = |(place, model): (usize, &Model)| {
        let chosen = place == state.shown();
        let style = if chosen { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        let left = model.left().map_or("-".into(), number::seconds);
        Row::new([
            Cell::from(format!("{}{}", if chosen { "▸ " } else { "  " }, model.name)),
            Cell::from(progress_bar(model, bar.into())),
            right(steps_text(model)),
            right(number::seconds(model.elapsed(state.now))),
            right(left),
            right(number::digits(model.loss)),
            right(model.best.map_or("-".into(), number::digits)),
        ])
        .style(style)
    };
    let titles = ["  model".into(), Cell::default(), right("steps"), right("elapsed"), right("left")];
    let header = Row::new(titles.into_iter().chain([right("loss"), right("validation")])).style(DIM);
    let mut constraints = widths.map(Constraint::Length);
    constraints[1] = Constraint::Length(bar);
    Table::new(models().map(row), constraints).header(header).block(Block::bordered().title(" bessemer "))
}

fn right(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::raw(text.into()).right_aligned())
}

fn steps_text(model: &Model) -> String {
    format!("{}/{}", model.step, model.pace.steps)
}

/// The share of the steps that is taken; all of a training that has ended, maybe early.
fn share(model: &Model) -> f64 {
    if model.has_ended() { 1.0 } else { (model.step as f64 / model.pace.steps.max(1) as f64).min(1.0) }
}

fn progress_bar(model: &Model, width: usize) -> Line<'static> {
    let done = (share(model) * width as f64) as usize;
    let style = if model.has_ended() { DONE } else { Style::new().fg(Color::Cyan) };
    Line::from(vec![Span::styled("━".repeat(done), style), Span::styled("╌".repeat(width - done), DIM)])
}

/// Bars for the means of a value over the steps, from 0 on.
fn course(frame: &mut Frame, area: Rect, title: &str, model: &Model, curve: &Curve) {
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let means = columns(&curve.points(), loss::steps(model), inner.width.into());
    let most = means.iter().flatten().fold(0.0, |most: f64, mean| most.max(*mean));
    let bar =
        |mean: Option<f64>| mean.filter(|_| most > 0.0).map(|mean| (mean / most * TALLEST).round() as u64);
    let bars = means.into_iter().map(bar);
    frame.render_widget(
        Sparkline::default()
            .data(bars.collect::<Vec<_>>())
            .max(TALLEST as u64)
            .style(Style::new().fg(Color::Blue))
            .absent_value_symbol(" "),
        inner,
    );
}

fn rate_text(model: &Model) -> String {
    format!("learning rate {}", number::digits(model.learning_rate))
}

fn speed_text(model: &Model) -> String {
    format!("{} samples/s", number::digits(model.speed()))
}

fn memory_text(state: &State) -> String {
    let text = |bytes: u64| number::bytes(bytes.into());
    state.memory.map_or("memory n/a".into(), |memory| {
        format!("{}, peak {}", text(memory.resident), text(memory.peak))
    })
}

fn message(message: &Message) -> Line<'static> {
    let style = if message.warning { WARNING } else { Style::new() };
    let at = format!("{:>10}  ", number::seconds(message.at));
    Line::from(vec![Span::styled(at, DIM), Span::styled(message.text.clone(), style)])
}

fn key_line(state: &State) -> Line<'static> {
    if state.stopping {
        return Line::styled(" stops after this step; Ctrl-C ends at once", WARNING);
    }
    let others = if state.models.len() > 1 { "   Tab, arrows: other model" } else { "" };
    Line::styled(format!(" q, Ctrl-C: stop{others}"), DIM)
}

#[cfg(test)]
mod tests {
    use bessemer::train::{Event, TrainError};
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::machine::ProcessMemory;
    use crate::pace::Pace;

    /// Two models: one that has ended, one in the middle.
    fn state() -> State {
        let mut state = State::default();
        let mut now = 0.0;
        for (name, steps, taken) in [("nhits", 400, 400), ("patchtst", 2000, 1300)] {
            let pace = Pace { steps, samples: 32, first: 0 };
            let place = state.begin(name, pace, now);
            for step in 1..=taken {
                now += 0.02;
                let course = step as f64 / steps as f64;
                let noise = (step * 2_654_435_761 % 1000) as f64 / 1000.0;
                let loss = 3.0 * (-5.0 * course).exp() * (0.7 + 0.6 * noise) + 0.02;
                let learning_rate = 5e-4 * (1.0 + (std::f64::consts::PI * course).cos());
                let event = Event::Step { step, steps, loss, grad_norm: 1.0, learning_rate };
                state.watch(place, event, now);
                if step % 100 == 0 {
                    let loss = 3.2 * (-5.0 * course).exp() + 0.05 + 0.4 * course;
                    state.watch(place, Event::Validation { step, loss, best: step <= 800 }, now);
                    state.watch(place, Event::Checkpoint { step }, now);
                    let resident = 80_000_000 + 20_000 * step;
                    state.measure_memory(Some(ProcessMemory { resident, peak: 121_000_000 }));
                }
            }
            if steps == taken {
                state.finish(place, steps as usize, now);
            }
        }
        let problem = TrainError::NothingToResume { folder: "steps".into() };
        state.watch(1, Event::Problem { problem: &problem }, now);
        state.now = now + 0.01;
        state
    }

    fn drawn(state: &State, (width, height): (u16, u16)) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        terminal.backend().clone()
    }

    #[test]
    fn it_fits_every_terminal() {
        for size in [(120, 36), (80, 24), (40, 12)] {
            insta::assert_snapshot!(format!("{}x{}", size.0, size.1), drawn(&state(), size));
        }
    }

    #[test]
    fn a_training_that_just_begins_has_something_to_show() {
        let mut state = State::default();
        state.begin("nhits", Pace { steps: 1000, samples: 32, first: 0 }, 0.0);
        state.now = 0.1;
        insta::assert_snapshot!("beginning", drawn(&state, (80, 24)));
    }

    #[test]
    fn no_size_is_too_small() {
        let mut state = state();
        for chosen in 0..2 {
            for width in (0..20).chain([39, 63, 64, 65, 200, 500]) {
                for height in (0..20).chain([50, 200]) {
                    drawn(&state, (width, height));
                }
            }
            state.turn(true);
            assert_ne!(state.shown(), 1 - chosen);
        }
        drawn(&State::default(), (80, 24));
    }

    #[test]
    fn another_model_is_shown_when_chosen_and_a_stop_is_announced() {
        let mut state = state();
        state.turn(false);
        state.stopping = true;
        let text = drawn(&state, (80, 24)).to_string();
        assert!(text.contains("▸ nhits") && text.contains(" nhits: loss"), "{text}");
        assert!(text.contains("stops after this step; Ctrl-C ends at once"), "{text}");
    }

    #[test]
    fn more_models_than_rows_leave_the_chosen_one_in_sight() {
        let mut state = State::default();
        let pace = Pace { steps: 10, samples: 1, first: 0 };
        for place in 0..30 {
            state.begin(&format!("model-{place}"), pace, 0.0);
        }
        for _ in 0..30 {
            let text = drawn(&state, (80, 24)).to_string();
            let name = &state.models[state.shown()].name;
            assert!(text.contains(&format!("▸ {name} ")), "{text}");
            state.turn(true);
        }
    }
}
