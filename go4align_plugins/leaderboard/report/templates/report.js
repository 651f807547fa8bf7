'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const NAMESPACE = 'http://www.w3.org/2000/svg';

/* Tables: a click on a head sorts each block by it, the best first; another click turns it round. */
function sortBy(head) {
  const descending = head.ariaSort === 'none'
    ? head.dataset.better === 'high' : head.ariaSort === 'ascending';
  for (const other of head.parentNode.children) other.ariaSort = 'none';
  head.ariaSort = descending ? 'descending' : 'ascending';
  const column = head.cellIndex;
  const order = (a, b) => {
    const [x, y] = [a, b].map(row => row.cells[column]);
    if (column === 0) return x.textContent.localeCompare(y.textContent) * (descending ? -1 : 1);
    const [p, q] = [x, y].map(cell => parseFloat(cell.dataset.value));
    if (isNaN(p) || isNaN(q)) return isNaN(p) - isNaN(q); // without a figure: last either way
    return descending ? q - p : p - q;
  };
  for (const body of head.closest('table').tBodies) {
    body.append(...[...body.querySelectorAll('tr:not(.block)')].sort(order));
  }
}
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => sortBy(button.parentNode));
}

function add(parent, name, attributes, text) {
  const element = parent.appendChild(document.createElementNS(NAMESPACE, name));
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  return element;
}

function newDrawing(parent, height, label) {
  const width = parent.clientWidth;
  const svg = add(parent, 'svg', {
    width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label });
  return [svg, width];
}

/* Learning curves: a line a method in the band of its seeds. */
const curves = document.getElementById('curves');
const select = curves.querySelector('select');
const colour = method => data.colours[method] ?? 'var(--single)';
const dash = method => method in data.colours ? ['none', '7 3', '2 3'][data.dashes[method] % 3] : '4 4';

function path(points) {
  let pen = 'M'; // a figure that is missing leaves a gap
  return points.map(([x, y]) => {
    if (y === null) { pen = 'M'; return ''; }
    const step = `${pen}${x.toFixed(1)},${y.toFixed(1)}`;
    pen = 'L';
    return step;
  }).join('');
}

// The least of 1, 2, 5, 10 times a power of ten that is no smaller.
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * [1, 2, 5, 10].find(factor => factor * power >= size * (1 - 1e-9));
}

function drawCurves() {
  const panel = data.curves[select.value];
  const box = curves.querySelector('.drawing');
  box.replaceChildren();
  const [svg, width] = newDrawing(box, 320, panel.title);
  const [left, top, right, bottom] = [48, 10, width - 10, 290];
  const all = panel.lines.flatMap(line => line.values.flat()).filter(value => value !== null);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const step = roundStep((most - least || Math.abs(most) / 10 || 1) / 4);
  const first = Math.floor(least / step), last = Math.max(first + 1, Math.ceil(most / step));
  const low = first * step, span = (last - first) * step;
  const count = Math.max(...panel.lines.map(line => line.values[0].length));
  const x = epoch => left + (right - left) * (count > 1 ? epoch / (count - 1) : 0.5);
  const y = value => value === null ? null : bottom - (bottom - top) * (value - low) / span;
  for (let tick = first; tick <= last; tick++) {
    const height = y(tick * step), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    add(svg, 'line', { class: 'grid', x1: left, x2: right, y1: height, y2: height });
    add(svg, 'text', { x: left - 5, y: height + 4, 'text-anchor': 'end' }, (tick * step).toFixed(digits));
  }
  for (const epoch of new Set([0, count >> 1, count - 1])) {
    add(svg, 'text', { x: x(epoch), y: bottom + 16, 'text-anchor': 'middle' }, epoch);
  }
  add(svg, 'text', { x: (left + right) / 2, y: bottom + 28, 'text-anchor': 'middle' }, 'epoch');
  const legend = curves.querySelector('.legend');
  legend.replaceChildren();
  for (const { method, values: [mean, lowest, highest] } of panel.lines) {
    const place = values => values.map((value, epoch) => [x(epoch), y(value)]);
    if (mean.every(value => value !== null)) {
      const band = [...place(highest), ...place(lowest).reverse()];
      add(svg, 'path', { d: path(band) + 'Z', fill: colour(method), 'fill-opacity': 0.13 });
    }
    const stroke = { fill: 'none', stroke: colour(method), 'stroke-width': 2,
      'stroke-dasharray': dash(method) };
    add(svg, 'path', { ...stroke, d: path(place(mean)) });
    if (count === 1) add(svg, 'circle', { cx: x(0), cy: y(mean[0]) ?? -9, r: 3, fill: colour(method) });
    const item = legend.appendChild(document.createElement('span'));
    add(add(item, 'svg', { width: 24, height: 8 }), 'path', { ...stroke, d: 'M0,4H24' });
    item.append(method);
  }
  const cursor = add(svg, 'line', { class: 'grid', y1: top, y2: bottom, visibility: 'hidden' });
  svg.addEventListener('pointermove', event => {
    const share = (event.clientX - svg.getBoundingClientRect().left - left) / (right - left);
    const epoch = Math.max(0, Math.min(count - 1, Math.round(share * (count - 1))));
    for (const end of ['x1', 'x2']) cursor.setAttribute(end, x(epoch));
    cursor.setAttribute('visibility', 'visible');
    curves.querySelector('.readout').textContent = `Epoch ${epoch}, in ${panel.unit || 'its unit'}: ` +
      panel.lines.map(line => `${line.method} ${line.values[0][epoch] ?? '-'}`).join(', ');
  });
}

/* Weights: a row a task, a cell an epoch; the colour tells the weight's log. */
const weights = document.getElementById('weights');

function drawWeights() {
  const box = weights.querySelector('.panels');
  box.replaceChildren();
  const logs = data.weights.flatMap(panel => panel.values.flat()).filter(value => value > 0)
    .map(value => Math.abs(Math.log(value)));
  const span = Math.min(Math.log(100), Math.max(Math.log(2), ...logs));
  for (const panel of data.weights) {
    const part = box.appendChild(document.createElement('div'));
    part.appendChild(document.createElement('h3')).textContent = panel.method;
    const height = 22, left = 100;
    const [svg, width] = newDrawing(part, height * panel.tasks.length + 18, `weights of ${panel.method}`);
    const step = (width - left) / panel.epochs.length;
    panel.tasks.forEach((task, row) => {
      const name = task.length > 15 ? task.slice(0, 14) + '\u2026' : task;
      add(svg, 'text', { x: 0, y: row * height + 15 }, name);
      add(svg, 'rect', { class: 'row', x: left, y: row * height + 1, width: width - left, height: height - 2 });
      panel.values[row].forEach((value, column) => {
        if (value === null) return;
        const share = Math.max(-1, Math.min(1, Math.log(value) / span));
        const cell = add(svg, 'rect', { x: left + column * step, y: row * height + 1,
          width: step + 0.3, height: height - 2, 'fill-opacity': Math.abs(share),
          fill: share > 0 ? 'var(--more)' : 'var(--less)' });
        add(cell, 'title', {}, `${task}, epoch ${panel.epochs[column]}: ${value}`);
      });
    });
    const base = height * panel.tasks.length + 13;
    add(svg, 'text', { x: left, y: base }, `epoch ${panel.epochs[0]}`);
    add(svg, 'text', { x: width, y: base, 'text-anchor': 'end' }, panel.epochs.at(-1));
  }
}

data.curves.forEach((panel, index) => select.add(new Option(panel.title, index)));
select.addEventListener('change', drawCurves);
function draw() {
  curves.hidden = !data.curves.length;
  weights.hidden = !data.weights.length;
  if (!curves.hidden) drawCurves();
  if (!weights.hidden) drawWeights();
}
draw();
let drawn = innerWidth;
addEventListener('resize', () => {
  if (innerWidth !== drawn) { drawn = innerWidth; draw(); }
});
