-- expect: ?
-- batch: -2
return input { 'x', 3 }
