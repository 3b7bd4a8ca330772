// The telephone on the page. The call itself lives in the demo: this shows it, lets it be heard, and sends the caller's doings.

const $ = (selector) => document.querySelector(selector);
const phone = $("#phone");
const status = $("#status");
const caption = $("#caption");
const log = $("#talk-log");

const audio = new AudioContext({ latencyHint: "interactive" });
await audio.audioWorklet.addModule(new URL("audio.js", import.meta.url));
const line = new AudioWorkletNode(audio, "line", { numberOfInputs: 0, outputChannelCount: [1] });
line.connect(audio.destination);
const microphone = new AudioWorkletNode(audio, "microphone", { numberOfOutputs: 0 });

let socket;
let onCall = false;
let recording = false;
let stream = null; // the microphone, while it is open
let file = null; // a chosen sound file, decoded, until it has been said
let fileSounds = false; // from its beginning to the end of the recording
let soon; // the timer of what is shown only if it lasts

const way = () => $("input[name=way]:checked").value;
const tell = (wish) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(wish));

// --- the connection ---

function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/line?rate=${audio.sampleRate}`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => (typeof data === "string" ? take(JSON.parse(data)) : line.port.postMessage(new Float32Array(data)));
  socket.onclose = lost;
}

function lost() {
  status.textContent = "Ingen forbindelse. Prøver igen …";
  setTimeout(connect, 1000);
}

function take(message) {
  if (message.entries) begin(message.entries);
  if (message.entry) show(message.entry);
  if ("call" in message) callChanged(message.call);
  if (message.refused) $("#typed-note").textContent = "Du taler allerede. Tryk # først, og skriv så.";
  if (message.elsewhere) {
    socket.onclose = null;
    socket.close();
    callChanged(false);
    status.textContent = "Telefonen er åben i et andet vindue";
    caption.textContent = "Genindlæs siden for at bruge den her.";
  }
}

// --- what happens on the call ---

const STATUS = {
  answers: "Forbundet",
  says: "Telefonen taler",
  listens: "Din tur: tryk på en tast",
  beeps: "Gør dig klar",
  records: "Din tur: svar nu",
  recorded: "Øjeblik",
  "hangs up": "Samtalen er slut",
};

// Before each tone, too, the line listens for a key. There nobody needs to press one, and is not asked to.
const A_SECOND_BEFORE_THE_TONE = 1200; // ms

function begin(entries) {
  log.replaceChildren();
  log.hidden = true;
  $("#nothing-said").hidden = false;
  recording = false;
  entries.forEach(show);
}

function show({ who, what, text }) {
  clearTimeout(soon);
  if (what === "listens") soon = setTimeout(become, A_SECOND_BEFORE_THE_TONE, what);
  else if (STATUS[what]) become(what);
  if (what === "says") caption.textContent = text;
  if (what === "records") recording = true;
  if (what === "recorded") {
    recording = fileSounds = false;
    $("#typed-note").textContent = "";
  }
  const words = {
    says: text,
    presses: `Du trykkede ${text}`,
    does: `Du skrev: ${text}`,
    recorded: text.includes("silence only") ? "Du sagde ikke noget" : "Dit svar er optaget",
    "hangs up": who === "line" ? "Telefonen lagde på" : "Du lagde på",
  }[what];
  if (words) write(what === "recorded" ? "caller" : who, words);
  if (recording) sayFile();
}

function become(state) {
  status.textContent = STATUS[state];
  phone.dataset.state = state;
}

function write(who, words) {
  const item = document.createElement("li");
  item.className = who;
  item.textContent = words;
  log.append(item);
  log.hidden = false;
  $("#nothing-said").hidden = true;
  log.scrollTop = log.scrollHeight;
}

function callChanged(isOn) {
  const ended = onCall && !isOn;
  onCall = isOn;
  if (ended) {
    clearTimeout(soon);
    closeMicrophone();
    status.textContent = "Samtalen er slut";
    caption.textContent = "Du kan ringe op igen.";
  }
  if (!isOn) phone.dataset.state = "idle";
  offerHook();
  followProgress();
}

function offerHook() {
  const unheard = onCall && audio.state !== "running"; // after a reload the browser wants a click before it lets sound out
  $("#ring").setAttribute("aria-disabled", onCall && !unheard);
  $("#ring span").textContent = unheard ? "Fortsæt" : "Ring op";
  $("#hang-up").setAttribute("aria-disabled", !onCall);
}

// --- the buttons ---

$("#ring").addEventListener("click", async ({ currentTarget }) => {
  if (currentTarget.getAttribute("aria-disabled") === "true") return;
  if (!onCall) {
    status.textContent = "Ringer op …";
    caption.textContent = "";
  }
  await audio.resume();
  if (way() === "voice") await openMicrophone();
  onCall ? offerHook() : tell({ do: "ring" });
});

$("#hang-up").addEventListener("click", () => onCall && tell({ do: "hang up" }));

function press(key) {
  if (!onCall) return;
  sound(key);
  tell({ do: "press", key });
}

phone.addEventListener("click", ({ target }) => target.dataset.key && press(target.dataset.key));
phone.addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
  const button = !ctrlKey && !metaKey && !altKey && phone.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button) button.click();
});

function sound(key) {
  const place = "123456789*0#".indexOf(key);
  const volume = new GainNode(audio, { gain: 0.06 });
  volume.connect(audio.destination);
  for (const frequency of [[697, 770, 852, 941][Math.floor(place / 3)], [1209, 1336, 1477][place % 3]]) {
    const tone = new OscillatorNode(audio, { frequency });
    tone.connect(volume);
    tone.start();
    tone.stop(audio.currentTime + 0.12);
  }
}

// --- the caller's voice: microphone, file or text ---

microphone.port.onmessage = ({ data }) => {
  if (onCall && (stream || fileSounds) && socket.readyState === WebSocket.OPEN) socket.send(data);
  const power = data.reduce((sum, sample) => sum + sample * sample, 0) / data.length;
  const level = stream ? Math.max(0, 1 + Math.log10(power + 1e-9) / 6) : 0; // from -60 dB to full scale
  $("#level").value = level;
  $("#level").style.setProperty("--level", level);
};

async function openMicrophone() {
  if (stream) return;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(microphone);
    $("#microphone").textContent = "Mikrofonen er tændt.";
  } catch {
    $("input[value=typed]").checked = true;
    offerWay();
    $("#typed-note").textContent = "Der er ingen mikrofon, vi kan bruge. Skriv i stedet, eller vælg en lydfil.";
  }
}

function closeMicrophone() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  $("#microphone").textContent = "Mikrofonen tændes, når du ringer op.";
}

function offerWay() {
  for (const part of document.querySelectorAll("[data-way]")) part.hidden = part.dataset.way !== way();
}

$(".ways").addEventListener("change", () => {
  offerWay();
  if (way() !== "voice") closeMicrophone();
  else if (onCall) openMicrophone();
});

$("#file").addEventListener("change", async ({ target }) => {
  if (!target.files.length) return;
  try {
    file = await audio.decodeAudioData(await target.files[0].arrayBuffer());
    $("#file-note").textContent = "Klar. Den lyder efter tonen.";
    sayFile();
  } catch {
    $("#file-note").textContent = "Den fil kan ikke afspilles. Vælg en anden.";
  }
});

function sayFile() {
  if (!file || !recording || !onCall) return;
  const voice = new AudioBufferSourceNode(audio, { buffer: file });
  voice.connect(microphone);
  voice.start();
  file = null;
  fileSounds = true;
  $("#file").value = "";
  $("#file-note").textContent = "Filen lyder nu. Vælg en ny til det næste svar.";
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  tell({ do: "answer", text: $("#text").value });
  $("#typed-note").textContent = recording ? "Bliver sagt nu." : "Bliver sagt efter tonen.";
  event.target.reset();
});

// --- the answers' way into the mailbox ---

let following = false;

async function followProgress() {
  if (following) return;
  following = true;
  for (let unfinished = true; unfinished; ) {
    const steps = await (await fetch("progress")).json().catch(() => []);
    showProgress(steps);
    unfinished = onCall || (steps.length > 0 && !steps.at(-1).done);
    if (unfinished) await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  following = false;
}

function showProgress(steps) {
  $("#progress").hidden = steps.length === 0;
  $("#steps").replaceChildren(
    ...steps.map(({ title, status, words, done }) => {
      const item = document.createElement("li");
      item.dataset.status = done ? "done" : ["", "open"].includes(status) ? "" : "under way";
      item.textContent = `${title}: ${words}`;
      return item;
    }),
  );
  const arrived = steps.at(-1)?.status === "sent";
  if (arrived && !$("#arrived").firstChild) {
    const link = Object.assign(document.createElement("a"), { href: "mails/", className: "plain", textContent: "Mailen er kommet. Åbn postkassen" });
    $("#arrived").append(link);
  } else if (!arrived) {
    $("#arrived").replaceChildren();
  }
}

connect();
