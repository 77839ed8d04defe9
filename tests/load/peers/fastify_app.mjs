// Six operations of the API, as a user of Fastify and node-postgres would write them over the same
// SQL. `npm ci`, then `DATABASE_URL=… JWT_SECRET=… POOL_SIZE=10 node fastify_app.mjs`.

import { readFileSync } from 'node:fs'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import pg from 'pg'

const SQL = new URL('../../../sql/', import.meta.url)
// A statement with a name is prepared once for each connection.
const statement = (name) => ({ name, text: readFileSync(new URL(`${name}.sql`, SQL), 'utf8') })
const LIST = statement('mentors/list')
const SHOW = statement('mentors/show')
const SLOTS = statement('availability/list_slots')
const COUNT_PENDING = statement('requests/count_pending')
const CREATE = statement('requests/create')
const ACCEPT = statement('requests/accept')
const MAX_DAYS = 92

const { DATABASE_URL, JWT_SECRET, POOL_SIZE } = process.env

// The database makes the JSON: pass its text on.
pg.types.setTypeParser(pg.types.builtins.JSON, (text) => text)
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) })

const fetch = async (otherwise, statement, values) => {
  const { rows } = await pool.query({ ...statement, values })
  if (rows.length === 0) throw Object.assign(new Error('no row'), { statusCode: otherwise })
  return rows[0]
}

const app = Fastify()
app.register(jwt, { secret: JWT_SECRET })
const json = (reply, text) => reply.type('application/json; charset=utf-8').send(text)
const verified = { onRequest: (request) => request.jwtVerify() }

const uuid = { type: 'string', format: 'uuid' }
const object = (properties, required = []) => ({ type: 'object', properties, required })
const mentor = object({ mentorId: uuid })

const listed = {
  querystring: object({
    page: { type: 'integer', minimum: 1, default: 1 },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 }
  })
}
app.get('/api/mentors', { schema: listed }, async (request, reply) => {
  const { page, limit } = request.query
  return json(reply, (await fetch(404, LIST, [limit, (page - 1) * limit])).items)
})

app.get('/api/mentors/:mentorId', { schema: { params: mentor } }, async (request, reply) => {
  return json(reply, (await fetch(404, SHOW, [request.params.mentorId])).body)
})

const day = { type: 'string', format: 'date' }
const slots = {
  params: mentor,
  querystring: object({ startDate: day, endDate: day }, ['startDate', 'endDate'])
}
app.get('/api/mentors/:mentorId/availability', { schema: slots }, async (request, reply) => {
  const { startDate, endDate } = request.query
  const values = [request.params.mentorId, startDate, endDate, MAX_DAYS]
  return json(reply, (await fetch(404, SLOTS, values)).body)
})

app.get('/api/requests/pending-count', verified, async (request, reply) => {
  return json(reply, (await fetch(404, COUNT_PENDING, [request.user.sub])).pending)
})

const asked = {
  body: object(
    {
      mentorId: uuid,
      topic: { type: 'string', minLength: 1, maxLength: 200 },
      message: { type: 'string', maxLength: 2000 },
      scheduledDate: day,
      scheduledTime: { type: 'string', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' },
      duration: { type: 'integer', minimum: 15, maximum: 480 },
      location: { type: 'string', maxLength: 200 }
    },
    ['mentorId', 'topic', 'scheduledDate', 'scheduledTime']
  )
}
app.post('/api/requests', { ...verified, schema: asked }, async (request, reply) => {
  const { mentorId, topic, message, scheduledDate, scheduledTime, duration, location } = request.body
  const start = `${scheduledDate}T${scheduledTime}:00Z`
  const values = [mentorId, request.user.sub, topic, message, start, duration, location]
  return json(reply.code(201), (await fetch(409, CREATE, values)).body)
})

const accepted = { params: object({ requestId: uuid }) }
app.post('/api/requests/:requestId/accept', { ...verified, schema: accepted }, async (request, reply) => {
  const row = await fetch(409, ACCEPT, [request.params.requestId, request.user.sub])
  return json(reply, `{"request":${row.body},"booking":${row.booking}}`)
})

console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
