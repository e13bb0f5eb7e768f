const state = document.getElementById("state");
const log = document.getElementById("log");
const message = document.getElementById("message");
const socket = new WebSocket(`wss://${location.host}/ws`);
socket.addEventListener("open", () => { state.textContent = "Connected"; });
socket.addEventListener("message", (event) => { log.textContent = event.data; });
socket.addEventListener("close", (event) => { state.textContent = `Closed (${event.code}${event.reason ? ": " + event.reason : ""})`; });
document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.send(message.value);
  message.value = "";
});
