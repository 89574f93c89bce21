// Panes of one photograph with one view: zoom and pan are linked. The slider of α shows pictures that were decoded
// ahead while it is dragged; the value where it is released goes to the server, which sends the exact picture.

const LEAST_SCALE = 1, MOST_SCALE = 64;

export default {
  template: `
    <div class="photo-panes">
      <div class="photo-slider" v-if="pictures.length">
        <label :for="id + '-alpha'">α <output>{{ value.toFixed(2) }}</output></label>
        <input :id="id + '-alpha'" type="range" :min="least" :max="most" step="0.01" v-model.number="value"
               data-testid="alpha" :aria-valuetext="'α ' + value.toFixed(2)" @input="dragged" @change="released">
        <span aria-hidden="true">faithful</span><span aria-hidden="true" class="right">detailed</span>
      </div>
      <div :class="curtain ? 'photo-one' : 'photo-grid'">
        <figure v-for="pane in drawn" :key="pane.name">
          <canvas :ref="'canvas-' + pane.name" :data-pane="pane.name" tabindex="0" role="img"
                  :aria-label="pane.title + '. Arrow keys pan, plus and minus zoom, zero shows all.'"
                  @wheel="wheel" @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="up"
                  @dblclick="reset" @keydown="key"></canvas>
          <figcaption>{{ pane.title }}<span v-if="pane.note" class="faint"> · {{ pane.note }}</span></figcaption>
        </figure>
      </div>
      <div class="photo-slider" v-if="curtain">
        <label :for="id + '-curtain'">Curtain</label>
        <input :id="id + '-curtain'" type="range" min="0" max="1" step="0.005" v-model.number="split" @input="draw">
        <span aria-hidden="true">{{ titleOf(curtain[0]) }}</span><span aria-hidden="true" class="right">{{ titleOf(curtain[1]) }}</span>
      </div>
      <p class="photo-error" role="alert" v-if="failed">{{ failed }}</p>
    </div>`,

  props: {
    panes: { type: Array, default: () => [] },      // {name, title, url, note}
    pictures: { type: Array, default: () => [] },   // {alpha, url}, decoded ahead or exactly
    alpha: { type: Number, default: 0.75 },
    least: { type: Number, default: 0 },
    most: { type: Number, default: 1.2 },
    curtain: { type: Array, default: null },        // [left, right], names of panes
    overlay: { type: String, default: null },       // url of the uncertainty
    brush: { type: Object, default: null },         // {alpha, radius}
    mapped: { type: String, default: null },        // url of the picture by a map of α
    rows: { type: Number, default: 1 },
    columns: { type: Number, default: 1 },
    post: { type: String, default: null },          // where a painted map goes
  },

  data() {
    return { value: this.alpha, split: 0.5, failed: "", id: "panes-" + Math.random().toString(36).slice(2) };
  },

  computed: {
    drawn() {
      if (!this.curtain) return this.panes;
      return [{ name: "curtain", title: this.curtain.map(this.titleOf).join(" | "), url: null }];
    },
  },

  watch: {
    panes() { this.load(); },
    pictures() { this.load(); },
    overlay() { this.load(); },
    mapped() { this.load(); },
    alpha(now) { this.value = now; this.draw(); },
    curtain() { this.$nextTick(this.measure); },
    rows() { this.forgetMap(); this.$nextTick(this.measure); },
    columns() { this.forgetMap(); this.$nextTick(this.measure); },
    brush(now, before) { if (now && !before) this.forgetMap(); this.draw(); },
  },

  created() {
    this.images = new Map();
    this.view = { scale: 1, x: 0.5, y: 0.5 };
    this.pointers = new Map();
    this.map = null;
    this.posted = 0;
  },

  mounted() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.$el);
    this.load();
    this.measure();
  },

  beforeUnmount() { this.observer.disconnect(); },

  methods: {
    titleOf(name) { return (this.panes.find((pane) => pane.name === name) || { title: name }).title; },

    load() {
      const urls = [...this.panes.map((pane) => pane.url), ...this.pictures.map((each) => each.url), this.overlay, this.mapped];
      for (const url of urls) {
        if (!url || this.images.has(url)) continue;
        const image = new Image();
        this.images.set(url, image);
        image.onload = () => { image.ready = true; this.draw(); };
        image.onerror = () => { this.images.delete(url); };
        image.src = url;
      }
      this.$nextTick(this.measure);
    },

    // The pictures on both sides of the slider, and the share of the upper one: the decoder is nearly linear in α. Between
    // pictures a quarter apart the error is below 1 of 255, with a block of data consistency some 10.
    between() {
      let low = null, high = null;
      for (const each of this.pictures) {
        const image = this.images.get(each.url);
        if (!image || !image.ready) continue;
        if (each.alpha <= this.value && (!low || each.alpha > low.alpha)) low = each;
        if (each.alpha >= this.value && (!high || each.alpha < high.alpha)) high = each;
      }
      if (!low || !high || low === high) return null;
      return { low: low.url, high: high.url, share: (this.value - low.alpha) / (high.alpha - low.alpha) };
    },

    // The nearest picture that is there: shown alone where the slider is not between two.
    nearest() {
      let best = null;
      for (const each of this.pictures) {
        const image = this.images.get(each.url);
        if (!image || !image.ready) continue;
        if (!best || Math.abs(each.alpha - this.value) < Math.abs(best.alpha - this.value)) best = each;
      }
      return best;
    },

    dragged() { this.draw(); },

    released() { this.$emit("alpha", this.value); },

    measure() {
      for (const canvas of this.canvases()) {
        const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
        canvas.style.aspectRatio = `${this.columns} / ${this.rows}`;
        canvas.width = Math.max(1, Math.round(width * ratio));
        canvas.height = Math.max(1, Math.round((width * ratio * this.rows) / this.columns));
      }
      this.draw();
    },

    canvases() { return [...this.$el.querySelectorAll("canvas")]; },

    urlOf(name) {
      if (name !== "restored") return (this.panes.find((pane) => pane.name === name) || {}).url;
      if (this.mapped && !this.brushDirty) return this.mapped;
      const near = this.nearest();
      return near ? near.url : null;
    },

    draw() {
      for (const canvas of this.canvases()) {
        const context = canvas.getContext("2d"), name = canvas.dataset.pane;
        // A finger on a whole picture scrolls the page; it may fill the screen.
        canvas.style.touchAction = this.view.scale > 1 || (this.brush && name === "restored") ? "none" : "pan-y";
        context.clearRect(0, 0, canvas.width, canvas.height);
        if (name === "curtain") {
          const middle = this.split * canvas.width;
          this.paint(context, canvas, this.curtain[0], 0, middle);
          this.paint(context, canvas, this.curtain[1], middle, canvas.width);
          context.fillStyle = "#fff";
          context.fillRect(middle - 1, 0, 2, canvas.height);
        } else {
          this.paint(context, canvas, name, 0, canvas.width);
        }
        const near = this.nearest();
        if (near) canvas.dataset.alpha = String(near.alpha);
      }
    },

    paint(context, canvas, name, left, right) {
      const image = this.images.get(this.urlOf(name));
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, canvas.height);
      context.clip();
      const mixed = name === "restored" && !(this.mapped && !this.brushDirty) ? this.between() : null;
      if (mixed) {
        this.place(context, canvas, this.images.get(mixed.low));
        context.globalAlpha = mixed.share;
        this.place(context, canvas, this.images.get(mixed.high));
        context.globalAlpha = 1;
      } else if (image && image.ready) {
        this.place(context, canvas, image);
      }
      if (image && image.ready) canvas.dataset.url = image.src;
      if (name === "restored") {
        const over = this.overlay && this.images.get(this.overlay);
        if (over && over.ready) this.place(context, canvas, this.coloured(over));
        if (this.brush && this.map) { context.globalAlpha = 0.4; this.place(context, canvas, this.map); }
      }
      context.restore();
    },

    place(context, canvas, image) {
      const { scale, x, y } = this.view, width = canvas.width * scale, height = canvas.height * scale;
      // Pixels are shown as they are once they are large.
      context.imageSmoothingEnabled = width / this.columns < 3;
      context.imageSmoothingQuality = "high";
      context.drawImage(image, canvas.width / 2 - x * width, canvas.height / 2 - y * height, width, height);
    },

    // The expected error as orange, opaque where it is largest.
    coloured(image) {
      if (image.coloured) return image.coloured;
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const data = context.getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 0; i < data.data.length; i += 4) {
        const value = data.data[i];
        data.data.set([255, 110, 0, Math.min(255, value * 1.2)], i);
      }
      context.putImageData(data, 0, 0);
      return (image.coloured = canvas);
    },

    where(event) {
      const box = event.target.getBoundingClientRect(), { scale, x, y } = this.view;
      return [x + ((event.clientX - box.left) / box.width - 0.5) / scale, y + ((event.clientY - box.top) / box.height - 0.5) / scale];
    },

    zoom(factor, at) {
      const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.view.scale * factor)), ratio = this.view.scale / scale;
      const [x, y] = at || [this.view.x, this.view.y];
      this.look(scale, x + (this.view.x - x) * ratio, y + (this.view.y - y) * ratio);
    },

    look(scale, x, y) {
      const half = 0.5 / scale, within = (value) => Math.min(1 - half, Math.max(half, value));
      this.view = { scale, x: within(x), y: within(y) };
      this.draw();
    },

    reset() { this.look(1, 0.5, 0.5); },

    // Where nothing is left to zoom out of, the page scrolls.
    wheel(event) {
      const before = this.view.scale;
      this.zoom(Math.exp(-event.deltaY * 0.002), this.where(event));
      if (this.view.scale !== before) event.preventDefault();
    },

    key(event) {
      const step = 0.15 / this.view.scale, { scale, x, y } = this.view;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (moves[event.key]) this.look(scale, x + moves[event.key][0], y + moves[event.key][1]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.5);
      else if (event.key === "-") this.zoom(1 / 1.5);
      else if (event.key === "0") this.reset();
      else return;
      event.preventDefault();
    },

    down(event) {
      event.target.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (this.painting(event)) this.stroke(event);
    },

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const box = event.target.getBoundingClientRect(), now = [event.clientX, event.clientY];
      if (this.painting(event) && this.pointers.size === 1) { this.stroke(event); this.pointers.set(event.pointerId, now); return; }
      if (this.pointers.size === 2) {
        const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
        const length = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
        this.zoom(length(now) / length(before), this.where(event));
      } else if (this.curtain && Math.abs(before[0] - box.left - this.split * box.width) < 24) {
        this.split = Math.min(1, Math.max(0, (now[0] - box.left) / box.width));
        this.draw();
      } else {
        const { scale, x, y } = this.view;
        this.look(scale, x - (now[0] - before[0]) / box.width / scale, y - (now[1] - before[1]) / box.height / scale);
      }
      this.pointers.set(event.pointerId, now);
    },

    up(event) {
      const painted = this.painting(event) && this.pointers.has(event.pointerId);
      this.pointers.delete(event.pointerId);
      if (painted) this.send();
    },

    painting(event) { return this.brush && event.target.dataset.pane === "restored" && !this.curtain; },

    forgetMap() { this.map = null; this.draw(); },

    stroke(event) {
      if (!this.map) {
        this.map = document.createElement("canvas");
        this.map.width = this.columns; this.map.height = this.rows;
        const context = this.map.getContext("2d");
        context.fillStyle = grey(this.value);
        context.fillRect(0, 0, this.columns, this.rows);
      }
      const [x, y] = this.where(event), context = this.map.getContext("2d");
      context.fillStyle = grey(this.brush.alpha);
      context.beginPath();
      context.arc(x * this.columns, y * this.rows, this.brush.radius, 0, 2 * Math.PI);
      context.fill();
      this.draw();
    },

    async send() {
      const number = ++this.posted;
      const blob = await new Promise((done) => this.map.toBlob(done, "image/png"));
      const answer = await fetch(this.post, { method: "POST", body: blob });
      if (number !== this.posted) return;
      if (answer.ok) this.$emit("painted", (await answer.json()).map);
      else this.failed = await answer.text();
    },
  },
};

function grey(alpha) {
  const value = Math.round(255 * Math.min(1, Math.max(0, alpha)));
  return `rgb(${value}, ${value}, ${value})`;
}
