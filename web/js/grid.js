// A wall of pictures in columns, of which only what is near the window is in the document: it scrolls through tens of thousands alike.
import {make} from './make.js';

const page = 60, gap = 8, strip = 800; // results at a time; pixels; height of the strips by which tiles are found again
const line = 28; // pixels of the text under a tile, as style.css has it
const bones = [180, 240, 150, 210, 170, 260, 200, 160];

export class Grid {
  // LOAD(n, offset, signal) gives {results, more}; OPEN(result, index) is called for a click; TOLD(answer, grid) with every answer;
  // TEXT(result) gives what to write under its tile, as parts of an element, or null; FAILED(error, grid) and the last of it, when there is nothing, put what they have to say into grid.after.
  constructor(root, {load, open, told, text, failed}) {
    Object.assign(this, {root, load, open, told, text, failed});
    this.wall = make('div', {class: 'wall', role: 'list', 'aria-label': 'Results', 'aria-busy': 'true'});
    this.skeletons = make('div', {class: 'skeletons', 'aria-hidden': 'true'}, ...bones.map(height => {
      const bone = make('div', {class: 'bone'});
      bone.style.height = `${height}px`;
      return bone;
    }));
    this.after = make('div');
    root.replaceChildren(this.wall, this.after, this.skeletons);
    this.items = [];
    this.places = [];
    this.strips = [];
    this.tiles = new Map();
    this.more = true;
    this.abort = new AbortController();
    this.draw = this.draw.bind(this);
    this.later = () => { this.frame ??= requestAnimationFrame(this.draw); };
    addEventListener('scroll', this.later, {passive: true});
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.wall);
    this.wall.addEventListener('keydown', event => this.key(event));
    this.patience = setTimeout(() => this.after.replaceChildren(make('p', {class: 'state late', role: 'status'}, 'Still looking…')), 1500);
    this.next();
  }

  close() {
    this.abort.abort();
    clearTimeout(this.patience);
    removeEventListener('scroll', this.later);
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  async next() {
    if (this.loading || !this.more) return;
    this.loading = true;
    try {
      const answer = await this.load(page, this.items.length, this.abort.signal);
      if (this.abort.signal.aborted) return;
      this.begun();
      this.more = answer.more && answer.results.length > 0;
      this.items.push(...answer.results);
      this.place();
      this.draw();
      this.told?.(answer, this);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.more = false;
      this.begun();
      this.failed?.(error, this);
    } finally {
      this.loading = false;
    }
    this.later();
  }

  begun() {
    if (!this.skeletons.isConnected) return;
    clearTimeout(this.patience);
    this.after.replaceChildren();
    this.skeletons.remove();
    this.wall.removeAttribute('aria-busy');
  }

  // Goes on after a failure.
  again() {
    this.after.replaceChildren();
    this.more = true;
    this.next();
  }

  resize() {
    const width = this.wall.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    this.columns = Math.max(width < 280 ? 1 : 2, Math.floor((width + gap) / (width < 600 ? 160 + gap : 220 + gap)));
    this.skeletons.style.columnCount = this.columns;
    this.side = (width - gap * (this.columns - 1)) / this.columns;
    this.heights = new Array(this.columns).fill(0);
    this.places = [];
    this.strips = [];
    const at = Number(this.wall.contains(document.activeElement) ? document.activeElement.dataset.index : NaN);
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.place();
    this.draw();
    if (!Number.isNaN(at)) this.focus(at);
  }

  // Gives the new items their places: each goes under the shortest column.
  place() {
    if (!this.width) return;
    for (let i = this.places.length; i < this.items.length; i++) {
      const {width, height, snippet} = this.items[i];
      const tall = this.side * Math.min(2.5, Math.max(0.4, height && width ? height / width : 1)) + (snippet ? line : 0);
      const column = this.heights.indexOf(Math.min(...this.heights));
      const y = this.heights[column];
      this.places.push({x: column * (this.side + gap), y, height: tall});
      this.heights[column] = y + tall + gap;
      for (let s = Math.floor(y / strip); s <= Math.floor((y + tall) / strip); s++) (this.strips[s] ??= []).push(i);
    }
    this.wall.style.height = `${Math.max(0, ...this.heights)}px`;
  }

  draw() {
    this.frame = undefined;
    if (!this.width) return;
    const top = this.wall.getBoundingClientRect().top, from = -top - innerHeight, to = -top + 2 * innerHeight;
    const wanted = new Set();
    for (let s = Math.max(0, Math.floor(from / strip)); s <= Math.floor(to / strip); s++) for (const i of this.strips[s] ?? []) wanted.add(i);
    for (const [i, tile] of this.tiles)
      if (!wanted.has(i) && !tile.contains(document.activeElement)) {
        tile.remove();
        this.tiles.delete(i);
      }
    // In the order of the results, which is the order of the Tab key.
    let before = this.wall.firstElementChild;
    for (const i of [...wanted].sort((a, b) => a - b)) {
      while (before && before.index < i) before = before.nextElementSibling;
      if (this.tiles.has(i)) continue;
      const tile = this.tile(i);
      this.tiles.set(i, tile);
      this.wall.insertBefore(tile, before);
    }
    if (to + innerHeight > Math.max(0, ...this.heights)) this.next();
  }

  tile(i) {
    const item = this.items[i], place = this.places[i];
    const score = item.score == null ? '' : item.score.toFixed(3), name = [item.name, score && `score ${score}`, item.snippet].filter(Boolean).join(', ');
    const image = make('img', {src: `${item.thumb}&side=${this.side > 330 ? 640 : 320}`, alt: '', loading: 'lazy', decoding: 'async'});
    const button = make('button', {class: 'tile', 'aria-label': name, onclick: () => this.open(item, i)}, image,
      make('span', {class: 'score', 'aria-hidden': 'true'}, score),
      item.stands_for > 1 ? make('span', {class: 'copies', title: `${item.stands_for} near-identical pictures`}, `×${item.stands_for}`) : null);
    image.onerror = () => image.replaceWith(make('span', {class: 'gone'}, item.name, make('br'), 'cannot be read any more'));
    const tile = make('div', {class: 'place', role: 'listitem', 'aria-posinset': i + 1, 'aria-setsize': this.more ? -1 : this.items.length}, button,
      item.snippet ? make('p', {class: 'snippet', dir: 'auto', title: item.snippet, 'aria-hidden': 'true', onclick: () => this.open(item, i)}, ...this.text(item)) : null);
    tile.index = button.dataset.index = i;
    Object.assign(tile.style, {width: `${this.side}px`, height: `${place.height}px`, transform: `translate(${place.x}px, ${place.y}px)`});
    return tile;
  }

  focus(i) {
    if (i < 0 || i >= this.items.length) return;
    const y = this.wall.getBoundingClientRect().top + this.places[i].y;
    if (y < 120 || y + this.places[i].height > innerHeight) scrollBy(0, y - innerHeight / 3);
    this.draw();
    this.tiles.get(i)?.firstChild.focus({preventScroll: true});
  }

  // The next tile of the same column, up or down.
  along(at, by) {
    let i = at + by;
    while (this.places[i] && this.places[i].x !== this.places[at].x) i += by;
    return i;
  }

  key(event) {
    const at = Number(event.target.dataset?.index ?? NaN);
    if (Number.isNaN(at) || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = {ArrowRight: () => at + 1, ArrowLeft: () => at - 1, ArrowDown: () => this.along(at, 1), ArrowUp: () => this.along(at, -1), Home: () => 0}[event.key]?.();
    if (to === undefined) return;
    event.preventDefault();
    this.focus(to);
  }
}
