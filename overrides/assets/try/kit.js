// What the figures that readers can move share: words in the page's language, controls, drawing.

const chinese = document.documentElement.lang.startsWith("zh")

/** The text in the page's language. */
export const say = (zh, en) => (chinese ? zh : en)

/** A number with a fixed count of decimals, and a true minus sign. */
export const number = (value, decimals = 2) => value.toFixed(decimals).replace("-", "−")

/** An SVG element; `children` are elements or text. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** An HTML element. */
export function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/**
 * Puts controls under the figure's drawing, and draws anew whenever one moves.
 *
 * `fields` maps a name to {label, min, max, step, value, show?} (a slider), {label, choices: {key: text}, value}
 * (a list) or {label, value: true | false} (a box to tick). `draw(values, write, drawing, moved)` gets each field's value; what it
 * writes is read out. `drawing` is the figure's own SVG; until the reader has `moved` something, leave it as it is.
 */
export function interactive(figure, fields, draw) {
  const drawing = figure.querySelector("svg")
  const result = html("output", { class: "try__result" })
  const form = html("form", { class: "try", "aria-label": say("动手试：", "Try it: ") + (figure.querySelector("figcaption")?.textContent ?? "") })
  const inputs = {}
  for (const [name, field] of Object.entries(fields)) {
    const id = `${figure.id}-${name}`
    const shown = html("span", { class: "try__value", "aria-hidden": "true" })
    let input
    if (field.choices) {
      input = html("select", { id, name })
      for (const [key, text] of Object.entries(field.choices)) input.append(html("option", { value: key }, text))
      input.value = field.value
    } else if (typeof field.value === "boolean") {
      input = html("input", { id, name, type: "checkbox" })
      input.checked = field.value
    } else {
      input = html("input", { id, name, type: "range", min: field.min, max: field.max, step: field.step, value: field.value })
    }
    inputs[name] = { input, shown, field }
    form.append(html("div", { class: "try__field" }, html("label", { for: id }, field.label), input, shown))
  }
  const update = event => {
    const values = {}
    for (const [name, { input, shown, field }] of Object.entries(inputs)) {
      values[name] = input.type === "checkbox" ? input.checked : field.choices ? input.value : Number(input.value)
      if (input.type !== "range") continue
      const text = field.show ? field.show(values[name]) : String(values[name])
      shown.textContent = text
      input.setAttribute("aria-valuetext", text)
    }
    draw(values, text => { result.textContent = text }, drawing, Boolean(event))
  }
  form.addEventListener("input", update)
  form.addEventListener("submit", event => event.preventDefault())
  form.append(result)
  drawing.after(form)
  update()
}
