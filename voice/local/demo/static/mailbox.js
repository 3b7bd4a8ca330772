// The mail is shown whole, without a scroll bar of its own. It runs no script, so its height is taken from here.
const frame = document.getElementById("mail");

const fit = () => {
  frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
};

frame?.addEventListener("load", fit);
window.addEventListener("resize", () => frame && fit());
if (frame?.contentDocument?.readyState === "complete") fit();
