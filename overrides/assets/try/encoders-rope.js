// Rotary positions on one pair of numbers: q at position m and k at position n, turned on one circle.
import { interactive, number, say } from "./kit.js"

const CENTRE = [124, 128], RADIUS = 88, ARC = 34, PAIRS = 4, BASE = 10000
const frequency = pair => BASE ** (-pair / PAIRS)

/** A point at this distance from the centre; angles run against the clock, as in mathematics. */
const point = (distance, angle) => [CENTRE[0] + distance * Math.cos(angle), CENTRE[1] - distance * Math.sin(angle)]
const path = (...parts) => parts.map(part => (typeof part === "number" ? part.toFixed(1) : part)).join(" ")

function place(text, distance, angle, drop) {
  const [x, y] = point(distance, angle)
  text.setAttribute("x", x.toFixed(1))
  text.setAttribute("y", (y + drop).toFixed(1))
}

export default figure =>
  interactive(
    figure,
    {
      m: { label: say("查询的位置 m", "position of the query, m"), min: 0, max: 60, step: 1, value: 14 },
      n: { label: say("键的位置 n", "position of the key, n"), min: 0, max: 60, step: 1, value: 5 },
      together: { label: say("两个位置一起后移", "both positions later by"), min: 0, max: 1000, step: 10, value: 0 },
      pair: {
        label: say("第几对 i（越大转得越慢）", "pair i (the later, the slower)"), min: 0, max: PAIRS - 1, step: 1, value: 1,
        show: i => `i = ${i}, θ = ${frequency(i)}`,
      },
    },
    ({ m, n, together, pair }, write, drawing, moved) => {
      const theta = frequency(pair)
      const [query, key] = [(m + together) * theta, (n + together) * theta]
      const between = (m - n) * theta
      const product = number(Math.cos(between))
      if (moved) {
        const [queryArrow, keyArrow, arc] = [...drawing.querySelectorAll("path")].slice(-3)
        const texts = drawing.querySelectorAll("text")
        queryArrow.setAttribute("d", path("M", ...CENTRE, "L", ...point(RADIUS, query)))
        keyArrow.setAttribute("d", path("M", ...CENTRE, "L", ...point(RADIUS, key)))
        // the angle as it looks: within half a turn
        const seen = Math.atan2(Math.sin(between), Math.cos(between))
        arc.setAttribute("d", path("M", ...point(ARC, key), "A", ARC, ARC, "0 0", seen > 0 ? "0" : "1", ...point(ARC, key + seen)))
        // names that would run into each other move apart
        const apart = Math.max(0, 0.4 - Math.abs(seen)) / 2, side = seen < 0 ? -1 : 1
        place(texts[0], RADIUS + 20, query + side * apart, 4.5)
        place(texts[1], RADIUS + 20, key - side * apart, 4.5)
        place(texts[2], 62, key + seen / 2, 4)
        texts[2].textContent = Math.abs(seen) < 0.7 ? "" : "(m−n)θ"
        const rows = [
          `m = ${m + together}, n = ${n + together}`, `θ = ${theta}`, `mθ = ${number(query)}`, `nθ = ${number(key)}`,
          `(m−n)θ = ${number(between)}`, `cos = ${product}`,
        ]
        rows.forEach((row, at) => { texts[3 + at].textContent = row })
      }
      const [a, b, c] = [query, key, between].map(angle => number(angle))
      write(say(
        `mθ = ${a}，nθ = ${b}，相差 ${c} 弧度；内积 cos((m−n)θ) = ${product}。m 和 n 一起移动，角度都变，内积不变。`,
        `mθ = ${a}, nθ = ${b}, ${c} radians apart; inner product cos((m−n)θ) = ${product}. Move m and n together: both angles change, the product does not.`,
      ))
    },
  )
