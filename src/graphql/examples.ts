/** What GraphiQL opens with: a conversation that runs as it stands, from top to bottom. */
export const EXAMPLES = `# Postern: a first conversation. Put the cursor into an operation and press Ctrl-Enter,
# or choose one from the run button. The browser holds the session in a cookie.

# 1. Ada signs up, and is logged in at once.
mutation SignUp {
  signUp(input: {
    email: "ada@example.com"
    password: "correct horse battery staple"
    name: "Ada"
    credential: COOKIE
  }) {
    __typename
    ... on LoggedIn { user { id displayName } }
    ... on InvalidInput { issues { path code } }
    ... on Problem { message }
  }
}

# 2. Who asks?
query CurrentUser {
  currentUser {
    __typename
    ... on User { id displayName email emailVerified hasPassword hasMfa }
    ... on Unauthenticated { reason }
  }
}

# 3. By which session?
query CurrentSession {
  currentSession {
    ... on Session { id credential createdAt expiresAt freshUntil methods { method at } }
    ... on Unauthenticated { reason }
  }
}

# 4. A JWT for another service.
mutation IssueAccessToken {
  issueAccessToken {
    ... on AccessTokenIssued { accessToken expiresAt }
    ... on Unauthenticated { reason }
  }
}

# 5. And out.
mutation LogOut {
  logOut {
    __typename
    ... on LoggedOut { sessionId }
  }
}

# 6. In again, with the password.
mutation LogInWithPassword {
  logInWithPassword(input: {
    email: "ada@example.com"
    password: "correct horse battery staple"
    credential: COOKIE
  }) {
    __typename
    ... on LoggedIn { session { id expiresAt } }
    ... on Problem { message }
  }
}

# What may a client offer to somebody who is not signed in?
query AuthConfig {
  authConfig { signUpOpen loginIdentifiers emailVerification passwordMinLength }
}
`;
