// The bar under the head while an index run is under way. One stream of events a page.

export function watch({done, say}) {
  const bar = document.getElementById('progress'), fill = bar.querySelector('.fill'), text = bar.querySelector('span');
  const events = new EventSource('/api/index/events');
  events.addEventListener('progress', event => {
    const {running, done: finished, total, counting} = JSON.parse(event.data);
    bar.hidden = !running;
    fill.style.width = total ? `${100 * finished / total}%` : '0';
    text.textContent = total ? `Indexing: ${finished.toLocaleString('en')} of ${total.toLocaleString('en')}${counting ? ' or more' : ''}` : 'Looking for pictures…';
  });
  events.addEventListener('done', event => {
    const report = JSON.parse(event.data);
    bar.hidden = true;
    const parts = ['indexed', 'moved', 'removed', 'failed'].filter(name => report[name]).map(name => `${report[name].toLocaleString('en')} ${name}`);
    // A look at watched folders that found nothing is nobody's business.
    if (report.watched && !report.indexed && !report.moved && !report.removed) return;
    say(parts.length ? `Done: ${parts.join(', ')}.` : 'Nothing is new.');
    done(report);
  });
  addEventListener('pagehide', () => events.close());
}
