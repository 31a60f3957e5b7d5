// The image with the hole painted over it. `props.value` is JSON: the image as it came from the server, and the mask.
const canvas = element.querySelector("canvas");
const brush = element.querySelector("input");
const count = element.querySelector("output");
const view = canvas.getContext("2d");
const mask = document.createElement("canvas");
const hole = mask.getContext("2d", { willReadFrequently: true });
const tinted = document.createElement("canvas");
const tint = tinted.getContext("2d");
const picture = new Image();
let source = "", sent = "", last = null;

function show() {
  view.drawImage(picture, 0, 0);
  tint.globalCompositeOperation = "copy";
  tint.drawImage(mask, 0, 0);
  tint.globalCompositeOperation = "source-in";
  tint.fillStyle = "#e4572e";
  tint.fillRect(0, 0, tinted.width, tinted.height);
  view.globalAlpha = 0.85;
  view.drawImage(tinted, 0, 0);
  view.globalAlpha = 1;
}

function publish() {
  // White on black, as the server reads it; drawn on a transparent ground.
  const flat = document.createElement("canvas");
  flat.width = mask.width;
  flat.height = mask.height;
  const ground = flat.getContext("2d");
  ground.fillStyle = "#000";
  ground.fillRect(0, 0, flat.width, flat.height);
  ground.drawImage(mask, 0, 0);
  const pixels = hole.getImageData(0, 0, mask.width, mask.height).data;
  let missing = 0;
  for (let k = 3; k < pixels.length; k += 4) missing += pixels[k] >= 128;
  count.textContent = missing ? `${missing.toLocaleString("en")} pixels missing` : "no hole yet";
  sent = JSON.stringify({ image: source, mask: missing ? flat.toDataURL("image/png") : "" });
  props.value = sent;
}

function load() {
  // What was not sent from here is given anew, the same image too: the hole of the one before is gone.
  if (!props.value || props.value === sent) return;
  const given = JSON.parse(props.value).image;
  if (!given) return;
  source = given;
  picture.onload = () => {
    for (const one of [canvas, mask, tinted]) {
      one.width = picture.naturalWidth;
      one.height = picture.naturalHeight;
    }
    brush.value = Math.max(4, Math.round(Math.min(mask.width, mask.height) / 20));
    show();
    publish();
    element.querySelector(".painter").dataset.loaded = "yes";
  };
  picture.src = source;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * canvas.width) / box.width,
    ((event.clientY - box.top) * canvas.height) / box.height,
  ];
}

function stroke(from, to) {
  hole.strokeStyle = "#fff";
  hole.lineCap = "round";
  hole.lineWidth = Number(brush.value);
  hole.beginPath();
  hole.moveTo(...from);
  hole.lineTo(to[0] + 0.01, to[1]);
  hole.stroke();
  show();
}

canvas.addEventListener("pointerdown", (event) => {
  if (!source) return;
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
  stroke(last, last);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last) return;
  const next = place(event);
  stroke(last, next);
  last = next;
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    if (last) publish();
    last = null;
  });
}
element.querySelector("button").addEventListener("click", () => {
  hole.clearRect(0, 0, mask.width, mask.height);
  show();
  publish();
});
watch("value", load);
load();
