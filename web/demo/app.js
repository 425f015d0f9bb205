// The demo's page: one WebSocket to an edge, and what its messages say, drawn.
// window.DEMO = {edges: [{name, url}], assessments: [{id, token}]} comes from config.js, which the demo writes.
'use strict';

const COINS = [
  {topic: 'market-data.btc-ticks', name: 'BTC', colour: '#f7931a'},
  {topic: 'market-data.eth-ticks', name: 'ETH', colour: '#7c8cff'},
  {topic: 'market-data.sol-ticks', name: 'SOL', colour: '#14f195'},
];
const POINTS = 160;      // of a line
const ACTIVITIES = 40;   // kept in the list
const SILENCE_MS = 75_000;  // without a message a connection counts as lost; pings come every 30 s

const $ = (id) => document.getElementById(id);
const money = (value) => value.toLocaleString('en-US', {style: 'currency', currency: 'USD'});
const percent = (value, digits = 1) => `${(value * 100).toFixed(digits)} %`;
const signed = (value, text) => (value > 0 ? '+' : '') + text;
const setTone = (node, value) => {
  node.classList.toggle('up', value > 0);
  node.classList.toggle('down', value < 0);
};

function element(parent, tag, className, text) {
  const node = parent.appendChild(document.createElement(tag));
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// A line through `values` with a fade below it; `zero` draws a base line.
function drawLine(canvas, values, colour, {zero = false} = {}) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  if (values.length < 2) return;
  const low = Math.min(...values, ...(zero ? [0] : []));
  const high = Math.max(...values, ...(zero ? [0] : []));
  const y = (value) => height - 6 - (high > low ? (value - low) / (high - low) : 0.5) * (height - 14);
  const step = width / (POINTS - 1);
  const left = width - step * (values.length - 1);

  if (zero) {
    context.strokeStyle = '#2a3650';
    context.setLineDash([4, 5]);
    context.beginPath();
    context.moveTo(0, y(0));
    context.lineTo(width, y(0));
    context.stroke();
    context.setLineDash([]);
  }
  context.beginPath();
  values.forEach((value, i) => context.lineTo(left + i * step, y(value)));
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  context.lineJoin = 'round';
  context.stroke();
  context.lineTo(width, height);
  context.lineTo(left, height);
  context.closePath();
  const fade = context.createLinearGradient(0, 0, 0, height);
  fade.addColorStop(0, `${colour}55`);
  fade.addColorStop(1, `${colour}00`);
  context.fillStyle = fade;
  context.fill();
}

function remember(values, value) {
  values.push(value);
  if (values.length > POINTS) values.shift();
}

// ---- prices ------------------------------------------------------------------------------------------

const cards = new Map(COINS.map((coin) => {
  const card = element($('prices'), 'div', 'price');
  const top = element(card, 'div', 'top');
  element(top, 'span', 'name', coin.name);
  const change = element(top, 'span', 'change number', '');
  const value = element(card, 'div', 'value number', '–');
  const quote = element(card, 'div', 'quote number');
  return [coin.topic, {coin, change, value, quote, canvas: element(card, 'canvas'), values: [], last: null}];
}));

function onCoin(card, data) {
  const digits = data.price < 1000 ? 3 : 2;
  const format = (price) =>
    price.toLocaleString('en-US', {minimumFractionDigits: digits, maximumFractionDigits: digits});
  card.value.textContent = format(data.price);
  if (card.last !== null && data.price !== card.last) {
    const flash = data.price > card.last ? 'flash-up' : 'flash-down';
    card.value.classList.add(flash);
    requestAnimationFrame(() => setTimeout(() => card.value.classList.remove('flash-up', 'flash-down'), 120));
  }
  card.last = data.price;
  card.change.textContent = signed(data.change, `${data.change.toFixed(2)} %`);
  setTone(card.change, data.change);
  card.quote.replaceChildren();
  for (const [name, text] of [['bid', format(data.bid)], ['ask', format(data.ask)],
                              ['volume', data.volume.toFixed(3)]]) {
    const item = element(card.quote, 'span', '', `${name} `);
    element(item, 'b', '', text);
  }
  remember(card.values, data.price);
  changed.add(card);
}

const odds = new Map();

function onOdds(data) {
  let row = odds.get(data.symbol);
  if (!row) {
    const node = element($('odds'), 'div', 'odd');
    const line = element(node, 'div', 'line');
    element(line, 'span', '', data.question || data.symbol);
    row = {chance: element(line, 'b'), move: element(line, 'span', 'move number'), last: data.price};
    element(node, 'div', 'where', data.topic.includes('kalshi') ? 'Kalshi' : 'Polymarket');
    row.bar = element(element(node, 'div', 'track'), 'div');
    odds.set(data.symbol, row);
  }
  const move = (data.price - row.last) * 100;
  row.last = data.price;
  row.chance.textContent = percent(data.price);
  row.move.textContent = move ? signed(move, move.toFixed(1)) : '';
  setTone(row.move, move);
  row.bar.style.width = `${data.price * 100}%`;
}

// ---- the assessment ----------------------------------------------------------------------------------

let pnlValues = [];

function onPnl(data) {
  if ('equity' in data) {
    $('equity').textContent = money(data.equity);
    $('balance').textContent = money(data.balance);
  }
  if (!('totalPnl' in data)) return;
  $('pnl').textContent = signed(data.totalPnl, money(data.totalPnl));
  setTone($('pnl'), data.totalPnl);
  $('open').textContent = data.openPositions;
  remember(pnlValues, data.totalPnl);
  changed.add('curve');
}

function onRule(data) {
  const share = Math.min(1, data.drawdown / data.limit);
  $('drawdown').textContent = `${percent(data.drawdown, 2)} of ${percent(data.limit, 0)}`;
  $('drawdown-bar').style.width = `${share * 100}%`;
  $('drawdown-bar').style.background = share > 0.8 ? 'var(--down)' : share > 0.5 ? 'var(--warn)' : 'var(--up)';
}

function addActivity(kind, text, message) {
  const item = document.createElement('li');
  item.className = kind;
  element(item, 'span', 'kind');
  element(item, 'span', 'what', text).title = text;
  element(item, 'time', '', new Date(message.timestamp).toLocaleTimeString('en-GB'));
  $('activity').prepend(item);
  while ($('activity').children.length > ACTIVITIES) $('activity').lastChild.remove();
}

function onPosition(message) {
  const {data} = message;
  if (data.topic === 'trading.order-filled') {
    const verb = data.side === 'buy' ? 'Bought' : 'Sold';
    addActivity(data.side, `${verb} ${data.quantity.toFixed(4)} ${data.symbol} at ${data.price}`, message);
  } else if (data.topic === 'trading.position-opened') {
    addActivity('position_update', `Opened ${data.side} ${data.symbol} at ${data.entryPrice}`, message);
  } else {
    const profit = signed(data.realizedPnl, money(data.realizedPnl));
    addActivity('position_update', `Closed ${data.symbol}: ${profit}`, message);
  }
}

function onMessage(message) {
  const {data} = message;
  switch (message.type) {
    case 'connected':
      $('connection').textContent = `${message.connectionId} (${message.userId})`;
      return;
    case 'ping':
      socket.send('{"type":"pong"}');
      return;
    case 'market_price':
      if (cards.has(data.topic)) onCoin(cards.get(data.topic), data);
      else onOdds(data);
      return;
    case 'pnl_update':
      return onPnl(data);
    case 'rule_status':
      return onRule(data);
    case 'position_update':
      return onPosition(message);
    case 'violation':
      return addActivity('violation', `Violation of ${data.rule}: ${percent(data.value, 2)}`, message);
    case 'assessment_update':
      $('assessment-state').textContent = data.status;
      if (data.status === 'created') pnlValues = [];
      return addActivity('assessment_update', `Assessment ${data.status}, run ${data.run}`, message);
    case 'error':
      return addActivity('violation', `Error ${message.code}: ${message.message}`, {timestamp: Date.now()});
  }
}

// ---- the connection ----------------------------------------------------------------------------------

let socket = null;
let edge = 0;
let assessment = 0;
let attempts = 0;
let retry = null;
let lastHeard = 0;

function show(state, text) {
  $('state').className = `pill ${state}`;
  $('state').lastElementChild.textContent = text;
}

function connect() {
  clearTimeout(retry);
  if (socket) {
    socket.onclose = socket.onmessage = null;
    socket.close();
  }
  const {id, token} = DEMO.assessments[assessment];
  show('wait', 'connecting');
  const query = new URLSearchParams({token, assessmentId: id});
  const mine = socket = new WebSocket(`${DEMO.edges[edge].url}?${query}`);
  lastHeard = Date.now();
  mine.onopen = () => {
    attempts = 0;
    show('live', `live on ${DEMO.edges[edge].name}`);
  };
  mine.onmessage = (event) => {
    lastHeard = Date.now();
    const message = JSON.parse(event.data);
    count(message);
    onMessage(message);
  };
  mine.onclose = (event) => {
    // Doubled up to 30 s, with a random part, so that the clients of a lost edge do not come back as one.
    const wait = Math.min(30_000, 500 * 2 ** attempts++) * (0.5 + Math.random() / 2);
    show('lost', `lost (${event.code})`);
    $('connection').textContent = '–';
    retry = setTimeout(connect, wait);
  };
}

function forgetAssessment() {
  pnlValues = [];
  for (const id of ['equity', 'balance', 'pnl', 'open', 'drawdown']) $(id).textContent = '–';
  $('pnl').className = '';
  $('drawdown-bar').style.width = 0;
  $('activity').replaceChildren();
  $('assessment-state').textContent = '';
  changed.add('curve');
}

function choice(id, names, choose) {
  const buttons = names.map((name, i) => {
    const button = element($(id), 'button', '', name);
    button.onclick = () => press(i);
    return button;
  });
  const press = (chosen) => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', i === chosen));
    choose(chosen);
  };
  buttons[0].setAttribute('aria-pressed', true);
}

// ---- numbers and drawing -----------------------------------------------------------------------------

const changed = new Set();
let latencies = [];
let arrivals = [];
let total = 0;

function count(message) {
  const now = Date.now();
  ++total;
  arrivals.push(now);
  // Snapshots on connecting are old by nature.
  if (message.data && now - message.timestamp < 2000) latencies.push(Math.max(0, now - message.timestamp));
}

setInterval(() => {
  const now = Date.now();
  arrivals = arrivals.filter((time) => now - time < 5000);
  $('rate').textContent = Math.round(arrivals.length / 5);
  $('total').textContent = total.toLocaleString('en-US');
  if (latencies.length) {
    latencies.sort((a, b) => a - b);
    $('latency').textContent = latencies[latencies.length >> 1];
    latencies = [];
  }
  if (socket && socket.readyState === WebSocket.OPEN && now - lastHeard > SILENCE_MS) socket.close();
}, 1000);

function draw() {
  for (const what of changed) {
    if (what === 'curve') {
      const last = pnlValues[pnlValues.length - 1] || 0;
      drawLine($('curve'), pnlValues, last < 0 ? '#ff5d73' : '#2dd4a0', {zero: true});
    } else {
      drawLine(what.canvas, what.values, what.coin.colour);
    }
  }
  changed.clear();
  requestAnimationFrame(draw);
}

window.addEventListener('resize', () => {
  changed.add('curve');
  for (const card of cards.values()) changed.add(card);
});

choice('edges', DEMO.edges.map(({name}) => name), (i) => { edge = i; connect(); });
choice('assessments', DEMO.assessments.map(({id}) => id), (i) => {
  assessment = i;
  $('assessment-name').textContent = DEMO.assessments[i].id;
  forgetAssessment();
  connect();
});
$('assessment-name').textContent = DEMO.assessments[0].id;
connect();
draw();
